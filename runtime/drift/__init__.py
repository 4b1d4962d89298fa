"""Slow change of inputs and scores, and thresholds that follow it within bounds."""
