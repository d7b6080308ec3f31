"""Which project and experiment rows belong to where they do not say so themselves."""

from libc.stdint cimport uint8_t
from libc.string cimport memcmp

from tracestore._native.json_reader cimport Text


cdef struct Routing:
    Text project
    # p is NULL for none.
    Text experiment
    # Keeps only rows of this project; p is NULL for all.
    Text only


cdef inline bint same_text(const Text* a, const Text* b) noexcept nogil:
    return a.size == b.size and (a.size == 0 or memcmp(a.p, b.p, a.size) == 0)


cdef inline void text_of(bytes source, Text* out):
    # Borrows: the bytes object must outlive the text.
    out.p = NULL
    out.size = 0
    if source is not None:
        out.p = <const uint8_t*><const char*>source
        out.size = len(source)
