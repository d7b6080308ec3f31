"""Functions of the engine in Spark's words, by name: what is not here is refused."""
