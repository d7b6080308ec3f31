"""OTLP over HTTP and gRPC: admission, conventions, and the way into the store."""
