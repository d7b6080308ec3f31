"""What is a value, and what does a place of a query take of it? Knows no names of a query."""
