"""Parquet files of others and for others: rows in, and columns of the type VARIANT in and out."""
