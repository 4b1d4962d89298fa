"""Integer models over batches of windows, in NumPy: the same bits as the interpreter's portable kernels, many times faster."""
