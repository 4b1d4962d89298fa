"""Scores to alarms: de-bounce, and events with a start and an end."""
