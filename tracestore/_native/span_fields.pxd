"""What a span's attributes and events tell by convention, noted as they come; and which of them stay attributes."""

from libc.stdint cimport uint32_t, uint64_t

from tracestore._native.conventions cimport SpanFields
from tracestore._native.otlp_request cimport Request
from tracestore._native.protobuf cimport Wire

cdef void fields_begin(SpanFields* f) noexcept nogil
cdef void fields_free(SpanFields* f) noexcept nogil

# Takes note of one attribute; *waits is 1 where `fields_settle` decides whether it stays an attribute.
cdef int note_attribute(Request* r, const Wire* key, const Wire* value, bint* waits) noexcept nogil

# Takes note of what an event tells; the event itself is kept whole.
cdef int note_event(Request* r, Wire event) noexcept nogil

# Shreds what stays among the attributes; the node of the attributes is entered. Before the columns are filled.
cdef int fields_settle(Request* r, uint32_t* before) noexcept nogil
