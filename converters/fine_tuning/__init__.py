"""Quantization-aware fine-tuning: weights that give the float model's outputs in integer arithmetic."""
