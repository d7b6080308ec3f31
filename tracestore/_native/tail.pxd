"""The leaves that earned no column: one JSON text a row, and one relation sorted by path and row."""

from libc.stdint cimport int32_t, uint32_t

from tracestore._native.arrow cimport ArrowArray, ArrowSchema
from tracestore._native.buffer cimport Buffer
from tracestore._native.builder cimport State
from tracestore._native.columns cimport RowMap


cdef struct Item:
    # One value on its way out: its output row, its leaf (NONE for a spilled value), and its entry there.
    int32_t row
    uint32_t leaf
    uint32_t entry
    # Position of its leaf among the leaves gathered.
    uint32_t rank


# Adds the values that a leaf has in the rows that go out.
cdef int gather_leaf(State* s, uint32_t number, uint32_t rank, const RowMap* map, Buffer* items) noexcept nogil

# For items of rows [0, rows): the end of each row's items, then, from [rows + 1] on, the items' numbers in order of
# their rows. The caller frees it; NULL where memory is out.
cdef uint32_t* sort_items(const Buffer* items, uint32_t rows) noexcept nogil

# `leaves` are leaf numbers sorted by name. What the path limit spilled is added to both.
cdef int overflow_column(
    State* s, const uint32_t* leaves, uint32_t count, const RowMap* map, ArrowArray** array, ArrowSchema** schema
) noexcept nogil
cdef int tail_table(
    State* s, const uint32_t* leaves, uint32_t count, const RowMap* map, ArrowArray** array, ArrowSchema** schema
) noexcept nogil
