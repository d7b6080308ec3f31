"""Payloads and whole values of a span, put into their columns: see span_payloads.pxd.

JSON text is parsed where it lies. Messages stand in one form already, as text made by span_messages. Linear in the
values.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset, strlen

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_u8
from tracestore._native.builder cimport (
    LEAF_JSON_LIST,
    State,
    leaf_of,
    list_commit,
    list_cut,
    list_items,
    list_text_item,
    node_enter,
    node_leave,
    push_i64,
)
from tracestore._native.conventions cimport (
    RULE_COMMAS,
    RULE_JSON,
    RULE_WRAPPED,
    Candidate,
    Normal,
    Prefix,
    Slot,
    SpanFields,
)
from tracestore._native.input_key cimport hash_json_value
from tracestore._native.json_reader cimport JsonCursor, Text, json_space
from tracestore._native.json_shredder cimport shred_value
from tracestore._native.messages cimport SHAPE_LIST, SHAPE_NONE
from tracestore._native.otlp_request cimport Request, size_of
from tracestore._native.otlp_value cimport (
    ANY_EMPTY,
    ANY_KVLIST,
    ANY_STRING,
    AnyValue,
    read_any,
    read_text,
    shred_any,
    write_any,
)
from tracestore._native.protobuf cimport Wire
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.tables cimport (
    SPAN_INPUT_KEY,
    SPAN_NODE_ERROR,
    SPAN_NODE_EXPECTED,
    SPAN_NODE_INPUT,
    SPAN_NODE_OUTPUT,
    SPAN_NODE_TAGS,
)
from tracestore._native.text cimport write_json_escapes, write_json_string

# --- what moved ------------------------------------------------------------------------------------


cdef int note_moved(
    SpanFields* f, const uint8_t* name, size_t size, bint numbered, uint32_t node, const char* form, const char* texts
) noexcept nogil:
    # `"attribute":["column","form"]` of `moved_attributes`; numbered keys are named with a star. `texts`, where it is
    # not empty, names what inside of it was text of JSON.
    cdef Buffer* out = &f.moved
    cdef const char* column = b"attributes"
    if node == SPAN_NODE_INPUT:
        column = b"input"
    elif node == SPAN_NODE_OUTPUT:
        column = b"output"
    elif node == SPAN_NODE_EXPECTED:
        column = b"expected"
    if (
        buffer_u8(out, c',' if out.size else c'{') != 0
        or buffer_u8(out, c'"') != 0
        or write_json_escapes(out, name, size) != 0
        or (numbered and buffer_u8(out, c'*') != 0)
        or buffer_bytes(out, b'":["', 4) != 0
        or buffer_bytes(out, column, strlen(column)) != 0
        or buffer_bytes(out, b'","', 3) != 0
        or buffer_bytes(out, form, strlen(form)) != 0
        or (texts[0] and buffer_bytes(out, b'","', 3) != 0)
        or buffer_bytes(out, texts, strlen(texts)) != 0
        or buffer_bytes(out, b'"]', 2) != 0
    ):
        return TS_NO_MEMORY
    return TS_OK


cdef const char* form_of_numbered(const Candidate* c) noexcept nogil:
    return b"wrapped" if c.flags & RULE_WRAPPED else b"numbered"


# --- payloads ---------------------------------------------------------------------------------------


cdef int shred_json(Request* r, uint32_t node, const Text* text, bint* whole) noexcept nogil:
    # One JSON value at a node; *whole is 0, and nothing set, where the text is anything else.
    cdef State* s = r.v.s
    cdef JsonCursor j
    cdef int status
    memset(&j, 0, sizeof(j))
    j.p = text.p
    j.end = text.p + text.size
    whole[0] = 1
    node_enter(s, node)
    json_space(&j)
    status = shred_value(s, &j, node)
    if status == TS_OK:
        json_space(&j)
        if j.p < j.end:
            j.reason = b"more than one value"
    node_leave(s, node)
    if j.reason != NULL:
        # Entering once more takes back what was set.
        node_enter(s, node)
        node_leave(s, node)
        whole[0] = 0
        return TS_OK
    if status == TS_OK:
        r.v.repaired += j.repaired
    return status


cdef uint8_t first_of(const Text* text, uint8_t* second) noexcept nogil:
    # The first byte of a JSON text and the next that is no space; 0 where there is none.
    cdef JsonCursor j
    cdef uint8_t first = 0
    memset(&j, 0, sizeof(j))
    j.p = text.p
    j.end = text.p + text.size
    second[0] = 0
    json_space(&j)
    if j.p < j.end:
        first = j.p[0]
        j.p += 1
        json_space(&j)
        if j.p < j.end:
            second[0] = j.p[0]
    return first


cdef int push_key(Request* r, const Text* json) noexcept nogil:
    # input_key of a JSON text; a text that is none has none.
    cdef SpanFields* f = &r.fields
    cdef JsonCursor j
    cdef uint64_t key
    cdef int status
    memset(&j, 0, sizeof(j))
    f.pairs.size = 0
    f.scratch.size = 0
    j.p = json.p
    j.end = json.p + json.size
    json_space(&j)
    status = hash_json_value(&j, &f.pairs, &f.scratch, &key)
    if status == TS_NO_MEMORY:
        return status
    return push_i64(r.v.s, SPAN_INPUT_KEY, <int64_t>key) if status == TS_OK else <int>TS_OK


cdef int push_key_of(Request* r, const Wire* value) noexcept nogil:
    cdef Text json
    cdef int status
    r.v.json.size = 0
    r.v.depth = 0
    status = write_any(&r.v, value[0], &r.v.json)
    if status != TS_OK:
        return status
    json.p = r.v.json.data
    json.size = r.v.json.size
    return push_key(r, &json)


cdef int push_json_text(Request* r, uint32_t node, const uint8_t* p, size_t size) noexcept nogil:
    # JSON that was made here, as a payload.
    cdef Text text
    cdef bint whole
    cdef int status
    text.p = p
    text.size = size
    status = shred_json(r, node, &text, &whole)
    if status == TS_OK and node == SPAN_NODE_INPUT:
        status = push_key(r, &text)
    return status


cdef int push_list(Request* r, uint32_t node, const Normal* messages) noexcept nogil:
    # Messages in one form, each an item as its text lies.
    cdef State* s = r.v.s
    cdef const size_t* places = <const size_t*>messages.items.data
    cdef size_t i
    cdef Text text
    cdef uint32_t leaf, mark
    cdef int status
    node_enter(s, node)
    status = leaf_of(s, node, LEAF_JSON_LIST, &leaf)
    if status == TS_OK:
        mark = list_items(&s.leaves[leaf])
        for i in range(0, messages.items.size // sizeof(size_t), 2):
            status = list_text_item(s, leaf, messages.text.data + places[i], places[i + 1] - places[i])
            if status != TS_OK:
                list_cut(&s.leaves[leaf], mark)
                break
        if status == TS_OK:
            status = list_commit(s, leaf)
    node_leave(s, node)
    if status != TS_OK or node != SPAN_NODE_INPUT:
        return status
    text.p = messages.text.data
    text.size = messages.text.size
    return push_key(r, &text)


cdef int push_normal(Request* r, uint32_t node, const Normal* messages) noexcept nogil:
    if messages.shape == SHAPE_LIST:
        return push_list(r, node, messages)
    return push_json_text(r, node, messages.text.data, messages.text.size)


cdef int push_moved(Request* r, uint32_t node, const Candidate* c, const char* form, const char* texts) noexcept nogil:
    # The note of what moved, unless it stays where it was as well.
    cdef SpanFields* f = &r.fields
    cdef const Prefix* prefix
    if c.copied or c.stays:
        return TS_OK
    if c.prefix == 0:
        return note_moved(f, c.key.p, size_of(&c.key), False, node, form, texts)
    prefix = &f.table.prefixes[c.prefix - 1]
    return note_moved(f, f.table.text.data + prefix.start, prefix.size, True, node, form_of_numbered(c), texts)


cdef const char** TEXTS = [b"", b"arguments", b"results", b"arguments and results"]


cdef int push_payload(Request* r, const Slot* slot, const Candidate* c) noexcept nogil:
    # What won `input`, `output` or `expected`.
    cdef SpanFields* f = &r.fields
    cdef State* s = r.v.s
    cdef const Normal* messages = &f.normal[slot.node == SPAN_NODE_OUTPUT]
    cdef AnyValue any
    cdef Text text
    cdef uint8_t first, second
    cdef bint whole = 0
    cdef const char* form = b"value"
    cdef int status
    if slot.node != SPAN_NODE_EXPECTED and messages.shape != SHAPE_NONE:
        status = push_normal(r, slot.node, messages)
        form = b"parts" if messages.in_parts else (b"json" if messages.from_text else b"value")
        return push_moved(r, slot.node, c, form, TEXTS[messages.texts]) if status == TS_OK else status
    if c.prefix:
        status = push_json_text(r, slot.node, f.texts.data + c.text_start, c.text_end - c.text_start)
        return push_moved(r, slot.node, c, form, b"") if status == TS_OK else status
    status = read_any(&r.v, c.value, &any)
    if status == TS_OK and any.kind == ANY_STRING:
        status = read_text(&r.v, &any.bytes, &text)
        if status != TS_OK:
            return status
        first = first_of(&text, &second)
        if first == c'{' or first == c'[' or c.flags & RULE_JSON:
            status = shred_json(r, slot.node, &text, &whole)
        if status == TS_OK and whole:
            form = b"json"
            if slot.node == SPAN_NODE_INPUT:
                status = push_key(r, &text)
    if status == TS_OK and not whole:
        node_enter(s, slot.node)
        r.v.depth = 0
        status = shred_any(&r.v, c.value, slot.node)
        node_leave(s, slot.node)
        if status == TS_OK and slot.node == SPAN_NODE_INPUT:
            status = push_key_of(r, &c.value)
    return push_moved(r, slot.node, c, form, b"") if status == TS_OK else status


cdef int push_words(Request* r, uint32_t node, const Text* text) noexcept nogil:
    # Words with commas between them, as a list.
    cdef Buffer* out = &r.v.json
    cdef const uint8_t* p = text.p
    cdef const uint8_t* end = text.p + text.size
    cdef const uint8_t* word_end
    cdef const uint8_t* stop
    out.size = 0
    if buffer_u8(out, c'[') != 0:
        return TS_NO_MEMORY
    while p < end:
        stop = p
        while stop < end and stop[0] != c',':
            stop += 1
        while p < stop and p[0] == c' ':
            p += 1
        word_end = stop
        while word_end > p and (word_end - 1)[0] == c' ':
            word_end -= 1
        if word_end > p:
            if out.size > 1 and buffer_u8(out, c',') != 0:
                return TS_NO_MEMORY
            if write_json_string(out, p, word_end - p) != 0:
                return TS_NO_MEMORY
        p = stop + 1
    if buffer_u8(out, c']') != 0:
        return TS_NO_MEMORY
    return push_json_text(r, node, out.data, out.size)


cdef int push_parsed(Request* r, const Slot* slot, const Candidate* c) noexcept nogil:
    # Columns whose parts are told one by one as well take objects only, and no empty one.
    cdef State* s = r.v.s
    cdef AnyValue any
    cdef Text text
    cdef uint8_t first = 0
    cdef uint8_t second = 0
    cdef bint whole = 0
    cdef bint open = slot.node == SPAN_NODE_TAGS or slot.node == SPAN_NODE_ERROR
    cdef int status = read_any(&r.v, c.value, &any)
    if status != TS_OK or any.kind == ANY_EMPTY:
        return status
    if any.kind == ANY_STRING:
        status = read_text(&r.v, &any.bytes, &text)
        if status != TS_OK:
            return status
        if c.flags & RULE_COMMAS:
            return push_words(r, slot.node, &text)
        first = first_of(&text, &second)
        if (first == c'{' and second != c'}') or (open and (first == c'[' or first == c'{' or c.flags & RULE_JSON)):
            status = shred_json(r, slot.node, &text, &whole)
        if status != TS_OK or whole or not open:
            return status
    elif not open and (any.kind != ANY_KVLIST or any.bytes.p == any.bytes.end):
        return TS_OK
    node_enter(s, slot.node)
    r.v.depth = 0
    status = shred_any(&r.v, c.value, slot.node)
    node_leave(s, slot.node)
    return status
