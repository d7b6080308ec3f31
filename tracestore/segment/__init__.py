"""One segment: writing, reading and describing a Parquet file and its tail sidecar."""
