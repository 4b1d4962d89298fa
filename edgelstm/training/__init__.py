"""Training of detectors: architectures, look-back, batches."""
