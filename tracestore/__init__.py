"""tracestore: a columnar observability store for semi-structured traces."""
