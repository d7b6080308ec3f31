"""What may a query say: the dialect, its paths, its parameters, and the allow-list."""
