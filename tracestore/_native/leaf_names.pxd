"""Leaf column names back into paths and types, for tables that come in again."""

from libc.stdint cimport uint8_t, uint32_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.builder cimport State

# Finds or adds the node of `<path>` in `<path>:<type>`. *node is NONE where the path limit forbids it; *type is a
# LeafType. TS_SYNTAX where the text is no leaf column name.
cdef int node_of_name(
    State* s, const uint8_t* name, size_t size, Buffer* scratch, uint32_t* node, int* type
) noexcept nogil
