"""Languages of people: one JSON file each, read by `catalogue`."""
