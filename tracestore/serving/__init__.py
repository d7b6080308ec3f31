"""The HTTP side of the server: the application, what surrounds each request, keys, the log, its own traces."""
