"""Float graphs to integer graphs: ranges, rules for each op, quantized tensors."""
