"""Which project and experiment rows belong to where they do not say so themselves."""

from libc.stdint cimport uint8_t

from tracestore._native.buffer cimport same_bytes
from tracestore._native.json_reader cimport Text


cdef struct Routing:
    Text project
    # p is NULL for none.
    Text experiment
    # Keeps only rows of this project; p is NULL for all.
    Text only


cdef inline bint same_text(const Text* a, const Text* b) noexcept nogil:
    return a.size == b.size and same_bytes(a.p, b.p, a.size)


cdef inline void text_of(bytes source, Text* out):
    # Borrows: the bytes object must outlive the text.
    out.p = NULL
    out.size = 0
    if source is not None:
        out.p = <const uint8_t*><const char*>source
        out.size = len(source)
