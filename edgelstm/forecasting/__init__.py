"""Forecasters: the rows to come, several steps and several targets ahead, with intervals."""
