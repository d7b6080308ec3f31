"""Datasets and experiments: versioned rows, and runs over them."""
