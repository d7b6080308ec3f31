"""The store's segments as tables of Apache Iceberg, for programs that know nothing of tracestore."""
