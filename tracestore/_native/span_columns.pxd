"""The columns of a span, filled from what its attributes and events told; and the note of what moved."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tracestore._native.conventions cimport Candidate, SpanFields
from tracestore._native.otlp_request cimport Request
from tracestore._native.protobuf cimport Wire

# Notes in `moved_attributes` that an attribute, or with a star its numbered keys, went to a column.
cdef int note_moved(
    SpanFields* f, const uint8_t* name, size_t size, bint numbered, uint32_t node, const char* form
) noexcept nogil
cdef const char* form_of_numbered(const Candidate* c) noexcept nogil


cdef struct SpanEnd:
    # What a span's own fields say once it is read: its start, 0 where it has none, and its status.
    uint64_t start_ns
    bint failed
    bint succeeded
    Wire message

# Fills the columns.
cdef int fields_push(Request* r, const SpanEnd* end) noexcept nogil
