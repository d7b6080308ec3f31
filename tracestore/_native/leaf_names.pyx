"""Parsing of leaf column names: the inverse of write_leaf_name; linear in the name."""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memset, strlen

from tracestore._native.buffer cimport Buffer
from tracestore._native.builder cimport LEAF_TYPES, NONE, State, child_lookup, leaf_type_name
from tracestore._native.json_reader cimport JsonCursor, Text, json_string
from tracestore._native.json_shredder cimport MAX_PATH_KEYS
from tracestore._native.status cimport TS_OK, TS_SYNTAX


cdef int split_type(const uint8_t* name, size_t size, size_t* path_size) noexcept nogil:
    # The type behind the last colon, or -1.
    cdef size_t at = size
    cdef int type
    while at and name[at - 1] != c':':
        at -= 1
    if at == 0:
        return -1
    path_size[0] = at - 1
    for type in range(<int>LEAF_TYPES):
        if strlen(leaf_type_name(type)) == size - at and memcmp(leaf_type_name(type), name + at, size - at) == 0:
            return type
    return -1


cdef int node_of_name(
    State* s, const uint8_t* name, size_t size, Buffer* scratch, uint32_t* node, int* type
) noexcept nogil:
    cdef JsonCursor j
    cdef Text key
    cdef size_t path_size = 0
    cdef int status
    type[0] = split_type(name, size, &path_size)
    node[0] = 0
    if type[0] < 0:
        return TS_SYNTAX
    memset(&j, 0, sizeof(j))
    j.p = name
    j.end = name + path_size
    while j.p < j.end:
        if s.nodes[node[0]].depth == MAX_PATH_KEYS:
            return TS_SYNTAX
        if j.p[0] == c'"':
            status = json_string(&j, scratch, &key)
            if status != TS_OK:
                return status
        else:
            key.p = j.p
            while j.p < j.end and j.p[0] != c'.' and j.p[0] != c'"' and j.p[0] != c'[':
                j.p += 1
            key.size = j.p - key.p
            if key.size == 0:
                return TS_SYNTAX
        status = child_lookup(s, node[0], key.p, key.size, node)
        if status != TS_OK or node[0] == NONE:
            return status
        if j.p < j.end:
            if j.p[0] != c'.' or j.p + 1 == j.end:
                return TS_SYNTAX
            j.p += 1
    return TS_OK
