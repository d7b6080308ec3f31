"""How does DuckDB run it: the locked engine, and the SQL text it gets."""

from tracestore_query.engine.duckdb import LOST, Deadline, Engine

__all__ = ["LOST", "Deadline", "Engine"]
