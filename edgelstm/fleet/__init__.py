"""A model for each of many assets, on one machine or on a cluster."""
