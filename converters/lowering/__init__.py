"""Keras models to float32 TFLite graphs with fused recurrent layers."""
