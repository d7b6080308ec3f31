"""The columns of a span, filled from what its attributes and events told."""

from libc.stdint cimport uint64_t

from tracestore._native.otlp_request cimport Request
from tracestore._native.protobuf cimport Wire


cdef struct SpanEnd:
    # What a span's own fields say once it is read: its start, 0 where it has none, and its status.
    uint64_t start_ns
    bint failed
    bint succeeded
    Wire message

# Fills the columns.
cdef int fields_push(Request* r, const SpanEnd* end) noexcept nogil
