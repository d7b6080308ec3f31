"""JSON values into leaves: one pass over the bytes, no value held twice.

An object opens a path for each key, a scalar goes to the leaf of its type, a list of one scalar type to that
list's leaf, any other list to json[] as one text an item. A list is read as what its first item is; where a
later item differs, its items are cut again and the list is read once more as json[].
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tracestore._native.buffer cimport buffer_f64, buffer_i64, buffer_u8
from tracestore._native.builder cimport (
    LEAF_BOOL,
    LEAF_BOOL_LIST,
    LEAF_F64,
    LEAF_F64_LIST,
    LEAF_I64,
    LEAF_I64_LIST,
    LEAF_JSON,
    LEAF_JSON_LIST,
    LEAF_STR,
    LEAF_STR_LIST,
    NONE,
    State,
    child_find,
    leaf_of,
    list_commit,
    list_cut,
    list_items,
    list_text_item,
    node_enter,
    node_leave,
    push_bool,
    push_bytes,
    push_f64,
    push_i64,
    spill_value,
)
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_bad_number,
    json_copy_value,
    json_fail,
    json_key,
    json_literal,
    json_open,
    json_separator,
    json_string,
)
from tracestore._native.number cimport NUMBER_BAD, NUMBER_F64, NUMBER_I64, NumberKind, number_read
from tracestore._native.status cimport TS_OK


cdef int push_text(State* s, uint32_t node, int type, const void* p, size_t size) noexcept nogil:
    cdef uint32_t leaf
    cdef int status = leaf_of(s, node, type, &leaf)
    if status != TS_OK:
        return status
    return push_bytes(s, leaf, p, size)


cdef int shred_number(State* s, JsonCursor* j, uint32_t node) noexcept nogil:
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64
    cdef uint32_t leaf
    cdef int status
    cdef NumberKind kind = number_read(j.p, j.end, &next, &i64, &f64)
    if kind == NUMBER_BAD:
        return json_bad_number(j)
    if kind == NUMBER_I64:
        status = leaf_of(s, node, LEAF_I64, &leaf)
        if status == TS_OK:
            status = push_i64(s, leaf, i64)
    elif kind == NUMBER_F64:
        status = leaf_of(s, node, LEAF_F64, &leaf)
        if status == TS_OK:
            status = push_f64(s, leaf, f64)
    else:
        status = push_text(s, node, LEAF_JSON, j.p, next - j.p)
    j.p = next
    return status


cdef int shred_bool(State* s, JsonCursor* j, uint32_t node) noexcept nogil:
    cdef bint value = j.p[0] == c't'
    cdef uint32_t leaf
    cdef int status = json_literal(j, b"true", 4) if value else json_literal(j, b"false", 5)
    if status == TS_OK:
        status = leaf_of(s, node, LEAF_BOOL, &leaf)
    if status == TS_OK:
        status = push_bool(s, leaf, value)
    return status


cdef int shred_text(State* s, JsonCursor* j, uint32_t node) noexcept nogil:
    # Whatever stands at the cursor, as JSON text in the json leaf.
    cdef int status
    s.scratch.size = 0
    status = json_copy_value(j, &s.scratch)
    if status != TS_OK:
        return status
    return push_text(s, node, LEAF_JSON, s.scratch.data, s.scratch.size)


cdef int shred_object(State* s, JsonCursor* j, uint32_t node) noexcept nogil:
    cdef Text key
    cdef uint32_t before = NONE
    cdef bint more = 1
    cdef int status
    if s.nodes[node].depth >= MAX_PATH_KEYS:
        return shred_text(s, j, node)
    status = json_open(j)
    if status != TS_OK:
        return status
    if j.p < j.end and j.p[0] == c'}':
        j.p += 1
        j.depth -= 1
        return push_text(s, node, LEAF_JSON, b"{}", 2)
    while more:
        status = json_key(j, &s.scratch_key, &key)
        if status == TS_OK:
            status = shred_member(s, j, node, key.p, key.size, &before)
        if status == TS_OK:
            status = json_separator(j, c'}', &more)
        if status != TS_OK:
            return status
    j.depth -= 1
    return TS_OK


cdef int shred_member(
    State* s, JsonCursor* j, uint32_t parent, const uint8_t* key, size_t key_size, uint32_t* before
) noexcept nogil:
    cdef uint32_t child
    cdef int status = child_find(s, parent, before[0], key, key_size, &child)
    if status != TS_OK:
        return status
    if child == NONE:
        s.scratch.size = 0
        status = json_copy_value(j, &s.scratch)
        if status != TS_OK:
            return status
        return spill_value(s, parent, key, key_size, s.scratch.data, s.scratch.size)
    before[0] = child
    node_enter(s, child)
    status = shred_value(s, j, child)
    node_leave(s, child)
    return status


cdef int list_type(uint8_t c) noexcept nogil:
    # What a list that opens with this byte is read as first; numbers are told apart later.
    if c == c'"':
        return LEAF_STR_LIST
    if c == c't' or c == c'f':
        return LEAF_BOOL_LIST
    if c == c'-' or c'0' <= c <= c'9':
        return LEAF_I64_LIST
    return LEAF_JSON_LIST


cdef int read_item(State* s, JsonCursor* j, uint32_t leaf, bint* fits) noexcept nogil:
    # One item into the list leaf; *fits is 0, and nothing consumed, where its type is another.
    cdef int type = s.leaves[leaf].type
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64
    cdef Text text
    cdef NumberKind kind
    cdef uint8_t c
    cdef int status
    fits[0] = 1
    if type == LEAF_JSON_LIST:
        s.scratch.size = 0
        status = json_copy_value(j, &s.scratch)
        if status != TS_OK:
            return status
        return list_text_item(s, leaf, s.scratch.data, s.scratch.size)
    if j.p >= j.end:
        return json_fail(j, b"unexpected end; want a value")
    c = j.p[0]
    if type == LEAF_STR_LIST:
        if c == c'"':
            status = json_string(j, &s.scratch, &text)
            if status != TS_OK:
                return status
            return list_text_item(s, leaf, text.p, text.size)
    elif type == LEAF_BOOL_LIST:
        if c == c't' or c == c'f':
            status = json_literal(j, b"true", 4) if c == c't' else json_literal(j, b"false", 5)
            if status != TS_OK:
                return status
            return buffer_u8(&s.leaves[leaf].values, c == c't')
    elif c == c'-' or c'0' <= c <= c'9':
        kind = number_read(j.p, j.end, &next, &i64, &f64)
        if kind == NUMBER_BAD:
            return json_bad_number(j)
        if kind == NUMBER_I64 and type == LEAF_I64_LIST:
            j.p = next
            return buffer_i64(&s.leaves[leaf].values, i64)
        if kind == NUMBER_F64 and type == LEAF_F64_LIST:
            j.p = next
            return buffer_f64(&s.leaves[leaf].values, f64)
    fits[0] = 0
    return TS_OK


cdef int read_list(State* s, JsonCursor* j, uint32_t leaf, bint* fits) noexcept nogil:
    # The items up to the closing bracket; *fits is 0 where one is of another type.
    cdef bint more = 1
    cdef int status
    while more:
        status = read_item(s, j, leaf, fits)
        if status != TS_OK or not fits[0]:
            return status
        status = json_separator(j, c']', &more)
        if status != TS_OK:
            return status
    return TS_OK


cdef int shred_list(State* s, JsonCursor* j, uint32_t node) noexcept nogil:
    cdef const uint8_t* first
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64
    cdef uint32_t leaf, mark
    cdef int type, status
    cdef bint fits
    status = json_open(j)
    if status != TS_OK:
        return status
    first = j.p
    if j.p >= j.end:
        return json_fail(j, b"unexpected end inside an array or object")
    if j.p[0] == c']':
        j.p += 1
        j.depth -= 1
        status = leaf_of(s, node, LEAF_JSON_LIST, &leaf)
        if status != TS_OK:
            return status
        return list_commit(s, leaf)
    type = list_type(j.p[0])
    if type == LEAF_I64_LIST and number_read(j.p, j.end, &next, &i64, &f64) == NUMBER_F64:
        type = LEAF_F64_LIST
    while True:
        status = leaf_of(s, node, type, &leaf)
        if status != TS_OK:
            return status
        mark = list_items(&s.leaves[leaf])
        status = read_list(s, j, leaf, &fits)
        if status != TS_OK:
            list_cut(&s.leaves[leaf], mark)
            return status
        if fits:
            j.depth -= 1
            return list_commit(s, leaf)
        list_cut(&s.leaves[leaf], mark)
        j.p = first
        type = LEAF_JSON_LIST


cdef int shred_value(State* s, JsonCursor* j, uint32_t node) noexcept nogil:
    cdef Text text
    cdef uint8_t c
    cdef int status
    if j.p >= j.end:
        return json_fail(j, b"unexpected end; want a value")
    c = j.p[0]
    if c == c'"':
        status = json_string(j, &s.scratch, &text)
        if status != TS_OK:
            return status
        return push_text(s, node, LEAF_STR, text.p, text.size)
    if c == c'{':
        return shred_object(s, j, node)
    if c == c'[':
        return shred_list(s, j, node)
    if c == c't' or c == c'f':
        return shred_bool(s, j, node)
    if c == c'n':
        status = json_literal(j, b"null", 4)
        if status != TS_OK:
            return status
        return push_text(s, node, LEAF_JSON, b"null", 4)
    return shred_number(s, j, node)
