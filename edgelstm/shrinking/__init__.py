"""Smaller models of the same behaviour: units pruned by importance, and what is left distilled from the whole model."""
