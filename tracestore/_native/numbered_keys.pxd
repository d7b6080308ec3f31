"""Numbered keys as arrays again: `llm.input_messages.0.message.content` is one item of a list of objects."""

from libc.stdint cimport uint32_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.conventions cimport Candidate, Table
from tracestore._native.otlp_value cimport ValueReader

# Sorts candidates by prefix, then by key as arrays and objects lie, then by arrival.
cdef void sort_numbered(Candidate* found, uint32_t count, const Table* table) noexcept nogil

# Whether a key alone can be one of an array: numbers and names take turns as the prefix wants them.
cdef bint fits_alone(const Table* table, const Candidate* c) noexcept nogil

# Appends the JSON text of the array that candidates of one prefix, sorted, make. *fits is 0, and nothing appended,
# where they make none that gives the same keys back: these stay as they came.
cdef int nest(
    ValueReader* v, const Table* table, Candidate* found, uint32_t count, Buffer* out, bint* fits
) noexcept nogil
