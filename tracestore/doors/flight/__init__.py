"""Arrow Flight SQL: statements over gRPC whose answers are Arrow, for ADBC, JDBC and what stands on them."""
