"""The TFLite flatbuffer: read without any library, and checked before an interpreter sees it."""
