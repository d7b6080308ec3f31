"""What does each name mean: from the tree of a query to expressions over leaf columns."""
