"""Events and links of a span: items of json[] leaves."""

from libc.stdint cimport uint32_t

from tracestore._native.otlp_request cimport Request
from tracestore._native.protobuf cimport Wire

# One event, or link, as an item of its leaf. *leaf is NONE before the first; *mark then notes where the list begins.
cdef int add_item(Request* r, Wire message, bint link, uint32_t* leaf, uint32_t* mark) noexcept nogil
