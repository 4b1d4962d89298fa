"""Classifiers: intents of texts, and states of machines over windows of samples."""
