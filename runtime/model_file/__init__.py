"""The `.tflite` file with its metadata: reading, writing, checking."""
