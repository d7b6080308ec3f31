"""Leaves made dense: which rows go out, and one Arrow column for each leaf."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from tracestore._native.arrow cimport ArrowArray, ArrowSchema
from tracestore._native.buffer cimport Buffer
from tracestore._native.builder cimport Leaf, State


cdef struct RowMap:
    # Builder rows [start, stop) go out as `rows` rows. `to` gives each its output row or -1, counted from
    # `start`; NULL where the order is kept and none is left out.
    uint32_t start
    uint32_t stop
    uint32_t rows
    int32_t* to


cdef inline int32_t output_row(const RowMap* map, uint32_t row) noexcept nogil:
    if row < map.start or row >= map.stop:
        return -1
    if map.to == NULL:
        return <int32_t>(row - map.start)
    return map.to[row - map.start]


cdef inline uint32_t run_of(const Leaf* leaf, uint32_t entry) noexcept nogil:
    return (<uint32_t*>leaf.runs.data)[entry] if leaf.runs.size else 1


# Output rows in which the leaf has a value.
cdef uint32_t leaf_rows(const Leaf* leaf, const RowMap* map) noexcept nogil

# Builds the column; both are NULL where memory is out.
cdef int leaf_column(
    State* s, const Leaf* leaf, const RowMap* map, const char* name, size_t name_size, bint dictionary,
    ArrowArray** array, ArrowSchema** schema
) noexcept nogil

# Appends one entry as JSON text; bytes are base64 in quotes, NaN and infinities words in quotes.
cdef int write_entry(const Leaf* leaf, uint32_t entry, Buffer* out) noexcept nogil

# First entry whose rows do not all lie before `row`.
cdef uint32_t first_entry(const Leaf* leaf, uint32_t row) noexcept nogil
