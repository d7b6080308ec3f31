"""One span of a request."""

from tracestore._native.otlp_request cimport Request
from tracestore._native.protobuf cimport Wire

# Reads a Span message into the row under way; a failure leaves what row_abort takes back.
cdef int read_span(Request* r, Wire w) noexcept nogil
