"""Measurements of a converted model against the float one, on every interpreter it is for."""
