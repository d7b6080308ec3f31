"""A plan as Spark SQL: the text, and what it reads. Knows no Spark; `tracestore_spark` runs it."""
