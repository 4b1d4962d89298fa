"""Anomaly scores, alarm thresholds and the rules that set them."""
