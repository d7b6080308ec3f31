"""Pages of an ordered answer, each asked anew: the rows of the query, each once."""
