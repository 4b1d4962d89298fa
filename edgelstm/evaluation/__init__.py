"""Detection quality on labelled rows, the same for Keras and TFLite."""
