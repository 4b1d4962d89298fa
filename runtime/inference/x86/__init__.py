"""Fused LSTMs unrolled into XNNPACK's matrix products when the model is loaded, for x86-64."""
