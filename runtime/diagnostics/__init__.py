"""Checks of this machine, and measurements on it."""
