"""The write-ahead log: what was acknowledged and is in no segment yet."""
