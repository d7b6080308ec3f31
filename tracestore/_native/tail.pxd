"""The leaves that earned no column: one JSON text a row, and one relation sorted by path and row."""

from libc.stdint cimport uint32_t

from tracestore._native.arrow cimport ArrowArray, ArrowSchema
from tracestore._native.builder cimport State
from tracestore._native.columns cimport RowMap

# `leaves` are leaf numbers sorted by name. What the path limit spilled is added to both.
cdef int overflow_column(
    State* s, const uint32_t* leaves, uint32_t count, const RowMap* map, ArrowArray** array, ArrowSchema** schema
) noexcept nogil
cdef int tail_table(
    State* s, const uint32_t* leaves, uint32_t count, const RowMap* map, ArrowArray** array, ArrowSchema** schema
) noexcept nogil
