"""AnyValue: see otlp_value.pxd. One pass for scalars and objects, two for arrays (their type, then their items)."""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_f64, buffer_free, buffer_i64, buffer_u8, copy_bytes
from tracestore._native.builder cimport (
    LEAF_BIN,
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
from tracestore._native.json_reader cimport Text
from tracestore._native.json_shredder cimport MAX_PATH_KEYS
from tracestore._native.number cimport write_f64, write_i64
from tracestore._native.protobuf cimport (
    WIRE_BYTES,
    WIRE_FIXED64,
    WIRE_VARINT,
    Wire,
    wire_bytes,
    wire_fixed64,
    wire_skip,
    wire_tag,
    wire_varint,
)
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK
from tracestore._native.text cimport utf8_first_bad, utf8_repair, write_base64, write_json_string


cdef enum:
    # Field 1 or 2, length-delimited.
    STRING_TAG = 0x0A
    KEY_TAG = 0x0A
    VALUE_TAG = 0x12


cdef void reader_free(ValueReader* v) noexcept nogil:
    cdef size_t i
    for i in range(v.blocks.size // sizeof(void*)):
        free((<void**>v.blocks.data)[i])
    buffer_free(&v.blocks)
    buffer_free(&v.text)
    buffer_free(&v.json)


cdef int join_parts(ValueReader* v, Wire* first, const Wire* second) noexcept nogil:
    cdef size_t size = (first.end - first.p) + (second.end - second.p)
    cdef uint8_t* block
    if v.joined + size > v.joined_most:
        v.error.at = second.p
        v.error.reason = b"too many messages in several parts"
        return TS_LIMIT
    block = <uint8_t*>malloc(size + 1)
    if block == NULL:
        return TS_NO_MEMORY
    if buffer_bytes(&v.blocks, &block, sizeof(void*)) != 0:
        free(block)
        return TS_NO_MEMORY
    v.joined += size
    copy_bytes(block, first.p, first.end - first.p)
    copy_bytes(block + (first.end - first.p), second.p, second.end - second.p)
    first.p = block
    first.end = block + size
    return TS_OK


cdef int read_any(ValueReader* v, Wire w, AnyValue* out) noexcept nogil:
    cdef uint32_t field
    cdef int type, status
    cdef Wire bytes
    # Nearly every value is one short string, or a double: tag, one byte of length, text.
    if w.end - w.p >= 2 and w.p[0] == STRING_TAG and w.p[1] == w.end - w.p - 2 and w.p[1] < 0x80:
        out.kind = ANY_STRING
        out.bytes.p = w.p + 2
        out.bytes.end = w.end
        return TS_OK
    out.kind = ANY_EMPTY
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &v.error)
        if status != TS_OK:
            return status
        if type == WIRE_BYTES and (field == ANY_STRING or ANY_ARRAY <= field <= ANY_BYTES):
            status = wire_bytes(&w, &bytes, &v.error)
            if status == TS_OK and out.kind == <AnyKind>field and (field == ANY_ARRAY or field == ANY_KVLIST):
                status = join_parts(v, &out.bytes, &bytes)
            else:
                out.bytes = bytes
            out.kind = <AnyKind>field
        elif type == WIRE_VARINT and (field == ANY_BOOL or field == ANY_INT):
            status = wire_varint(&w, &out.word, &v.error)
            out.kind = <AnyKind>field
        elif type == WIRE_FIXED64 and field == ANY_DOUBLE:
            status = wire_fixed64(&w, &out.word, &v.error)
            out.kind = ANY_DOUBLE
        else:
            status = wire_skip(&w, field, type, &v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int read_key_value(ValueReader* v, Wire w, Wire* key, Wire* value) noexcept nogil:
    cdef uint32_t field
    cdef int type, status
    cdef Wire bytes
    cdef const uint8_t* rest
    cdef bint valued = 0
    # Nearly always: a short key, then a short value, and nothing else.
    if w.end - w.p >= 4 and w.p[0] == KEY_TAG and w.p[1] < 0x80 and w.p[1] <= w.end - w.p - 4:
        rest = w.p + 2 + w.p[1]
        if rest[0] == VALUE_TAG and rest[1] < 0x80 and rest[1] == w.end - rest - 2:
            key.p = w.p + 2
            key.end = rest
            value.p = rest + 2
            value.end = w.end
            return TS_OK
    key.p = w.end
    key.end = w.end
    value.p = w.end
    value.end = w.end
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &v.error)
        if status != TS_OK:
            return status
        if type == WIRE_BYTES and field == 1:
            status = wire_bytes(&w, key, &v.error)
        elif type == WIRE_BYTES and field == 2:
            status = wire_bytes(&w, &bytes, &v.error)
            if status == TS_OK and valued:
                status = join_parts(v, value, &bytes)
            else:
                value[0] = bytes
            valued = 1
        else:
            status = wire_skip(&w, field, type, &v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int read_text(ValueReader* v, const Wire* w, Text* out) noexcept nogil:
    if utf8_first_bad(w.p, w.end) == w.end:
        out.p = w.p
        out.size = w.end - w.p
        return TS_OK
    v.repaired += 1
    v.text.size = 0
    if utf8_repair(&v.text, w.p, w.end) != 0:
        return TS_NO_MEMORY
    out.p = v.text.data
    out.size = v.text.size
    return TS_OK


cdef inline int next_element(ValueReader* v, Wire* list, Wire* element, bint* found) noexcept nogil:
    # The next `values` of an ArrayValue or KeyValueList.
    cdef uint32_t field
    cdef int type, status
    found[0] = 0
    while list.p < list.end:
        status = wire_tag(list, &field, &type, &v.error)
        if status != TS_OK:
            return status
        if field == 1 and type == WIRE_BYTES:
            found[0] = 1
            return wire_bytes(list, element, &v.error)
        status = wire_skip(list, field, type, &v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int array_is_flat(ValueReader* v, Wire list, bint* flat) noexcept nogil:
    cdef Wire element
    cdef AnyValue any
    cdef bint found
    cdef int status
    flat[0] = 1
    while flat[0]:
        status = next_element(v, &list, &element, &found)
        if status != TS_OK or not found:
            return status
        status = read_any(v, element, &any)
        if status != TS_OK:
            return status
        flat[0] = any.kind < ANY_ARRAY
    return TS_OK


# --- as JSON text -----------------------------------------------------------------------------------


cdef int write_attribute(ValueReader* v, Wire key_value, bint first, Buffer* out) noexcept nogil:
    cdef Wire key, value
    cdef Text text
    cdef int status = read_key_value(v, key_value, &key, &value)
    if status == TS_OK:
        status = read_text(v, &key, &text)
    if status != TS_OK:
        return status
    if not first and buffer_u8(out, c',') != 0:
        return TS_NO_MEMORY
    if write_json_string(out, text.p, text.size) != 0 or buffer_u8(out, c':') != 0:
        return TS_NO_MEMORY
    return write_any(v, value, out)


cdef int write_elements(ValueReader* v, Wire list, bint keyed, Buffer* out) noexcept nogil:
    cdef Wire element
    cdef bint found
    cdef bint first = 1
    cdef int status
    if v.depth == MAX_VALUE_DEPTH:
        v.error.at = list.p
        v.error.reason = b"values nested deeper than 1024"
        return TS_LIMIT
    v.depth += 1
    if buffer_u8(out, c'{' if keyed else c'[') != 0:
        return TS_NO_MEMORY
    while True:
        status = next_element(v, &list, &element, &found)
        if status != TS_OK:
            return status
        if not found:
            break
        if keyed:
            status = write_attribute(v, element, first, out)
        else:
            if not first and buffer_u8(out, c',') != 0:
                return TS_NO_MEMORY
            status = write_any(v, element, out)
        if status != TS_OK:
            return status
        first = 0
    v.depth -= 1
    return buffer_u8(out, c'}' if keyed else c']')


cdef int write_any(ValueReader* v, Wire w, Buffer* out) noexcept nogil:
    cdef AnyValue any
    cdef Text text
    cdef double f64
    cdef int status = read_any(v, w, &any)
    if status != TS_OK:
        return status
    if any.kind == ANY_STRING:
        status = read_text(v, &any.bytes, &text)
        if status != TS_OK:
            return status
        return write_json_string(out, text.p, text.size)
    if any.kind == ANY_INT:
        return write_i64(out, <int64_t>any.word)
    if any.kind == ANY_DOUBLE:
        memcpy(&f64, &any.word, 8)
        return write_f64(out, f64)
    if any.kind == ANY_BOOL:
        return buffer_bytes(out, b"true", 4) if any.word else buffer_bytes(out, b"false", 5)
    if any.kind == ANY_ARRAY or any.kind == ANY_KVLIST:
        return write_elements(v, any.bytes, any.kind == ANY_KVLIST, out)
    if any.kind == ANY_BYTES:
        if buffer_u8(out, c'"') != 0 or write_base64(out, any.bytes.p, any.bytes.end - any.bytes.p) != 0:
            return TS_NO_MEMORY
        return buffer_u8(out, c'"')
    return buffer_bytes(out, b"null", 4)


# --- into leaves ------------------------------------------------------------------------------------


cdef int shred_attribute(ValueReader* v, Wire key_value, uint32_t parent, uint32_t* before) noexcept nogil:
    cdef Wire key, value
    cdef int status = read_key_value(v, key_value, &key, &value)
    if status != TS_OK:
        return status
    return shred_pair(v, &key, &value, parent, before)


cdef int shred_pair(
    ValueReader* v, const Wire* key, const Wire* value, uint32_t parent, uint32_t* before
) noexcept nogil:
    cdef State* s = v.s
    cdef Text text
    cdef uint32_t child
    cdef int status = read_text(v, key, &text)
    if status == TS_OK:
        status = child_find(s, parent, before[0], text.p, text.size, &child)
    if status != TS_OK:
        return status
    if child == NONE:
        # The key may lie in v.text, which the value's text would overwrite.
        s.scratch_key.size = 0
        if buffer_bytes(&s.scratch_key, text.p, text.size) != 0:
            return TS_NO_MEMORY
        s.scratch.size = 0
        status = write_any(v, value[0], &s.scratch)
        if status != TS_OK:
            return status
        return spill_value(s, parent, s.scratch_key.data, s.scratch_key.size, s.scratch.data, s.scratch.size)
    before[0] = child
    node_enter(s, child)
    status = shred_any(v, value[0], child)
    node_leave(s, child)
    return status


cdef int push_json(ValueReader* v, Wire w, uint32_t node) noexcept nogil:
    cdef State* s = v.s
    cdef uint32_t leaf
    cdef int status
    s.scratch.size = 0
    status = write_any(v, w, &s.scratch)
    if status == TS_OK:
        status = leaf_of(s, node, LEAF_JSON, &leaf)
    if status == TS_OK:
        status = push_bytes(s, leaf, s.scratch.data, s.scratch.size)
    return status


cdef int shred_kvlist(ValueReader* v, Wire list, uint32_t node) noexcept nogil:
    cdef State* s = v.s
    cdef Wire element
    cdef uint32_t before = NONE
    cdef uint32_t leaf
    cdef bint found
    cdef bint empty = 1
    cdef int status
    v.depth += 1
    while True:
        status = next_element(v, &list, &element, &found)
        if status != TS_OK:
            return status
        if not found:
            break
        empty = 0
        status = shred_attribute(v, element, node, &before)
        if status != TS_OK:
            return status
    v.depth -= 1
    if not empty:
        return TS_OK
    status = leaf_of(s, node, LEAF_JSON, &leaf)
    if status != TS_OK:
        return status
    return push_bytes(s, leaf, b"{}", 2)


cdef int list_leaf_type(ValueReader* v, Wire list, int* type) noexcept nogil:
    # The leaf type that holds every element: a typed list where all are of one scalar kind, else json[].
    cdef Wire element
    cdef AnyValue any
    cdef AnyKind kind = ANY_EMPTY
    cdef bint found
    cdef bint first = 1
    cdef int status
    type[0] = LEAF_JSON_LIST
    while True:
        status = next_element(v, &list, &element, &found)
        if status != TS_OK:
            return status
        if not found:
            break
        status = read_any(v, element, &any)
        if status != TS_OK:
            return status
        if not first and any.kind != kind:
            return TS_OK
        kind = any.kind
        first = 0
    if kind == ANY_STRING:
        type[0] = LEAF_STR_LIST
    elif kind == ANY_BOOL:
        type[0] = LEAF_BOOL_LIST
    elif kind == ANY_INT:
        type[0] = LEAF_I64_LIST
    elif kind == ANY_DOUBLE:
        type[0] = LEAF_F64_LIST
    return TS_OK


cdef int push_element(ValueReader* v, Wire element, uint32_t leaf) noexcept nogil:
    cdef State* s = v.s
    cdef int type = s.leaves[leaf].type
    cdef AnyValue any
    cdef Text text
    cdef double f64
    cdef int status
    if type == LEAF_JSON_LIST:
        s.scratch.size = 0
        status = write_any(v, element, &s.scratch)
        if status != TS_OK:
            return status
        return list_text_item(s, leaf, s.scratch.data, s.scratch.size)
    status = read_any(v, element, &any)
    if status != TS_OK:
        return status
    if type == LEAF_STR_LIST:
        status = read_text(v, &any.bytes, &text)
        if status != TS_OK:
            return status
        return list_text_item(s, leaf, text.p, text.size)
    if type == LEAF_BOOL_LIST:
        return buffer_u8(&s.leaves[leaf].values, any.word != 0)
    if type == LEAF_I64_LIST:
        return buffer_i64(&s.leaves[leaf].values, <int64_t>any.word)
    memcpy(&f64, &any.word, 8)
    return buffer_f64(&s.leaves[leaf].values, f64)


cdef int shred_array(ValueReader* v, Wire list, uint32_t node) noexcept nogil:
    cdef State* s = v.s
    cdef Wire element
    cdef uint32_t leaf, mark
    cdef bint found
    cdef int type, status
    v.depth += 1
    status = list_leaf_type(v, list, &type)
    if status == TS_OK:
        status = leaf_of(s, node, type, &leaf)
    if status != TS_OK:
        return status
    mark = list_items(&s.leaves[leaf])
    while True:
        status = next_element(v, &list, &element, &found)
        if status == TS_OK and found:
            status = push_element(v, element, leaf)
        if status != TS_OK:
            list_cut(&s.leaves[leaf], mark)
            return status
        if not found:
            v.depth -= 1
            return list_commit(s, leaf)


cdef int shred_any(ValueReader* v, Wire w, uint32_t node) noexcept nogil:
    cdef State* s = v.s
    cdef AnyValue any
    cdef Text text
    cdef uint32_t leaf
    cdef double f64
    cdef int status = read_any(v, w, &any)
    if status != TS_OK:
        return status
    if any.kind == ANY_STRING:
        status = read_text(v, &any.bytes, &text)
        if status == TS_OK:
            status = leaf_of(s, node, LEAF_STR, &leaf)
        if status != TS_OK:
            return status
        return push_bytes(s, leaf, text.p, text.size)
    if any.kind == ANY_INT:
        status = leaf_of(s, node, LEAF_I64, &leaf)
        if status != TS_OK:
            return status
        return push_i64(s, leaf, <int64_t>any.word)
    if any.kind == ANY_DOUBLE:
        memcpy(&f64, &any.word, 8)
        status = leaf_of(s, node, LEAF_F64, &leaf)
        if status != TS_OK:
            return status
        return push_f64(s, leaf, f64)
    if any.kind == ANY_BOOL:
        status = leaf_of(s, node, LEAF_BOOL, &leaf)
        if status != TS_OK:
            return status
        return push_bool(s, leaf, any.word != 0)
    if any.kind == ANY_KVLIST and s.nodes[node].depth < MAX_PATH_KEYS:
        return shred_kvlist(v, any.bytes, node)
    if any.kind == ANY_ARRAY:
        return shred_array(v, any.bytes, node)
    if any.kind == ANY_BYTES:
        status = leaf_of(s, node, LEAF_BIN, &leaf)
        if status != TS_OK:
            return status
        return push_bytes(s, leaf, any.bytes.p, any.bytes.end - any.bytes.p)
    return push_json(v, w, node)
