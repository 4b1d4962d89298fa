"""Windows, the model's engine, and the one import shim of the TFLite interpreter."""
