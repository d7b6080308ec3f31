"""SQL to plan to DuckDB: what answers questions over the store."""
