"""Which type has an expression, and what does its place take of it? Knows no tables."""
