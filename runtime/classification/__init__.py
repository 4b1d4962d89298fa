"""Classification on the device: texts and windows of samples."""
