"""Series from CSV files and windows from NumPy files, repaired where that is safe, every repair counted."""
