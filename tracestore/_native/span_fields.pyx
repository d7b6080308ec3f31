"""The columns of a span that conventions tell: see span_fields.pxd, and tracestore.variant.conventions for the table.

Attributes are noted as they come and settled when the span ends: of those that tell one thing the first in the
table's order wins. A winner of `input`, `output` or `expected` moves there and is noted in `moved_attributes`, so
that it is stored once and can be put back; losers stay attributes. Everything else is copied. Linear in the span,
but for sorting numbered keys.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset, strlen

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_free, buffer_u8
from tracestore._native.builder cimport (
    LEAF_F64,
    LEAF_I64,
    LEAF_STR,
    NONE,
    State,
    child_existing,
    child_find,
    leaf_of,
    node_enter,
    node_leave,
    push_bytes,
    push_f64,
    push_i64,
)
from tracestore._native.conventions cimport (
    NO_SLOT,
    RULE_AGGREGATING,
    RULE_JSON,
    RULE_MILLISECONDS,
    RULE_TYPE_IN_JSON,
    RULE_WRAPPED,
    SLOT_AGGREGATED,
    SLOT_ERROR_TYPE,
    SLOT_EVALUATION_NAME,
    SLOT_EVALUATION_SCORE,
    SLOT_MOVED,
    SLOT_NUMBER,
    SLOT_PARSED,
    SLOT_SCALAR,
    SLOT_TYPE,
    SLOT_USAGE,
    Candidate,
    Prefix,
    Rule,
    Slot,
    SpanFields,
    Table,
    find_prefix,
    find_rule,
)
from tracestore._native.input_key cimport hash_json_value
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_key,
    json_open,
    json_separator,
    json_skip_value,
    json_space,
    json_string,
)
from tracestore._native.json_shredder cimport shred_member, shred_value
from tracestore._native.numbered_keys cimport nest, sort_numbered
from tracestore._native.otlp_request cimport Request, size_of
from tracestore._native.otlp_value cimport (
    ANY_DOUBLE,
    ANY_EMPTY,
    ANY_INT,
    ANY_KVLIST,
    ANY_STRING,
    AnyValue,
    read_any,
    read_key_value,
    read_text,
    shred_any,
    shred_pair,
    write_any,
    write_attribute,
)
from tracestore._native.protobuf cimport WIRE_BYTES, Wire, wire_bytes, wire_skip, wire_tag
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.tables cimport (
    NODE_ATTRIBUTES,
    SPAN_INPUT_KEY,
    SPAN_MOVED_ATTRIBUTES,
    SPAN_NODE_ERROR,
    SPAN_NODE_EXPECTED,
    SPAN_NODE_INPUT,
    SPAN_NODE_METRICS,
    SPAN_NODE_OUTPUT,
    SPAN_NODE_SCORES,
    SPAN_NODE_TAGS,
    SPAN_TYPE,
)
from tracestore._native.text cimport utf8_first_bad, write_json_escapes

cdef enum:
    # Behind every rank of the table: what an event keeps as well.
    COPIED_RANK = 0x80


cdef inline bint text_is(const Wire* w, const char* text) noexcept nogil:
    return size_of(w) == strlen(text) and memcmp(w.p, text, strlen(text)) == 0


cdef void fields_begin(SpanFields* f) noexcept nogil:
    f.told = 0
    f.waiting.size = 0
    f.numbered.size = 0
    f.prefixed.size = 0
    f.texts.size = 0
    f.inputs.size = 0
    f.outputs.size = 0
    f.moved.size = 0
    f.failed = 0


cdef void fields_free(SpanFields* f) noexcept nogil:
    buffer_free(&f.waiting)
    buffer_free(&f.numbered)
    buffer_free(&f.prefixed)
    buffer_free(&f.texts)
    buffer_free(&f.inputs)
    buffer_free(&f.outputs)
    buffer_free(&f.pairs)
    buffer_free(&f.scratch)
    buffer_free(&f.moved)


# --- taking note ------------------------------------------------------------------------------------


cdef inline bint is_told(const SpanFields* f, uint32_t slot) noexcept nogil:
    return (f.told >> slot) & 1


cdef inline void tell(SpanFields* f, const Candidate* c) noexcept nogil:
    # The lower rank wins; of one attribute that comes twice, the later.
    if is_told(f, c.slot) and f.best[c.slot].rank < c.rank:
        return
    f.told |= <uint64_t>1 << c.slot
    f.best[c.slot] = c[0]


cdef inline Candidate candidate(const Wire* key, const Wire* value, uint8_t slot, uint8_t rank, uint8_t flags) noexcept nogil:
    cdef Candidate c
    memset(&c, 0, sizeof(c))
    c.key = key[0]
    c.value = value[0]
    c.slot = slot
    c.rank = rank
    c.flags = flags
    return c


cdef int member_of_json(Request* r, const AnyValue* any, const char* name, Wire* out) noexcept nogil:
    # The text at a top-level key of a JSON object in a string, without escapes; empty where it is not so.
    cdef JsonCursor j
    cdef Text key, text
    cdef bint more = 1
    memset(&j, 0, sizeof(j))
    out.p = out.end = any.bytes.end
    j.p = any.bytes.p
    j.end = any.bytes.end
    json_space(&j)
    if any.kind != ANY_STRING or j.p >= j.end or j.p[0] != c'{' or json_open(&j) != TS_OK:
        return TS_OK
    while more:
        if json_key(&j, &r.fields.scratch, &key) != TS_OK:
            return TS_OK
        if key.size == strlen(name) and memcmp(key.p, name, key.size) == 0 and j.p < j.end and j.p[0] == c'"':
            if json_string(&j, &r.fields.scratch, &text) == TS_OK and text.p != r.fields.scratch.data:
                out.p = text.p
                out.end = text.p + text.size
            return TS_OK
        if json_skip_value(&j) != TS_OK or json_separator(&j, c'}', &more) != TS_OK:
            return TS_OK
    return TS_OK


cdef int note_type(Request* r, const Rule* rule, const Wire* key, const Wire* value) noexcept nogil:
    # A word that the table knows tells the type; the candidate's value is what the word means.
    cdef SpanFields* f = &r.fields
    cdef const Rule* meant
    cdef AnyValue any
    cdef Wire word
    cdef Candidate c
    cdef int status = read_any(&r.v, value[0], &any)
    if status != TS_OK:
        return status
    if any.kind != ANY_STRING:
        return TS_OK
    word = any.bytes
    if rule.flags & RULE_TYPE_IN_JSON:
        member_of_json(r, &any, b"type", &word)
    f.pairs.size = 0
    if (
        buffer_bytes(&f.pairs, key.p, size_of(key)) != 0
        or buffer_u8(&f.pairs, 0) != 0
        or buffer_bytes(&f.pairs, word.p, size_of(&word)) != 0
    ):
        return TS_NO_MEMORY
    meant = find_rule(f.table, f.pairs.data, f.pairs.size)
    if meant != NULL:
        word.p = f.table.text.data + meant.word_start
        word.end = word.p + meant.word_size
        c = candidate(key, &word, rule.slot, rule.rank, meant.flags)
        tell(f, &c)
    return TS_OK


cdef int note_prefixed(Request* r, int number, const Wire* key, const Wire* value, bint copied, bint* waits) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Prefix* prefix = &f.table.prefixes[number - 1]
    cdef Candidate c = candidate(key, value, prefix.slot, prefix.rank, prefix.flags)
    c.prefix = <uint8_t>number
    if not prefix.numbered:
        return TS_NO_MEMORY if buffer_bytes(&f.prefixed, &c, sizeof(c)) != 0 else <int>TS_OK
    # A name that is no text is repaired as an attribute.
    if copied or utf8_first_bad(key.p, key.end) != key.end:
        return TS_OK
    c.order = <uint32_t>(f.numbered.size // sizeof(c))
    waits[0] = 1
    return TS_NO_MEMORY if buffer_bytes(&f.numbered, &c, sizeof(c)) != 0 else <int>TS_OK


cdef int note(Request* r, const Wire* key, const Wire* value, bint copied, bint* waits) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Table* t = f.table
    cdef const Rule* rule = NULL
    cdef Candidate c
    cdef int number
    waits[0] = 0
    if key.p == key.end:
        return TS_OK
    if t.attribute_firsts[key.p[0]]:
        rule = find_rule(t, key.p, size_of(key))
    if rule != NULL:
        if t.slots[rule.slot].kind == SLOT_TYPE:
            return note_type(r, rule, key, value)
        c = candidate(key, value, rule.slot, rule.rank, rule.flags)
        c.copied = copied
        if t.slots[rule.slot].kind != SLOT_MOVED:
            tell(f, &c)
        else:
            waits[0] = not copied
            return TS_NO_MEMORY if buffer_bytes(&f.waiting, &c, sizeof(c)) != 0 else <int>TS_OK
    if t.prefix_firsts[key.p[0]]:
        number = find_prefix(t, key.p, size_of(key))
        if number:
            return note_prefixed(r, number, key, value, copied, waits)
    return TS_OK


cdef int note_attribute(Request* r, const Wire* key, const Wire* value, bint* waits) noexcept nogil:
    return note(r, key, value, False, waits)


# --- events -----------------------------------------------------------------------------------------


cdef int note_message(Request* r, Wire event, const char* role, Buffer* out) noexcept nogil:
    # A message of its own event: its attributes and, first, the role that the event's name says.
    cdef Wire w = event
    cdef Wire attribute
    cdef uint32_t field
    cdef int type, status
    if (
        buffer_bytes(out, b",{\"role\":\"", 10) != 0
        or buffer_bytes(out, role, strlen(role)) != 0
        or buffer_u8(out, c'"') != 0
    ):
        return TS_NO_MEMORY
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 3 and type == WIRE_BYTES:
            status = wire_bytes(&w, &attribute, &r.v.error)
            r.v.depth = 0
            if status == TS_OK:
                status = write_attribute(&r.v, attribute, False, out)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return buffer_u8(out, c'}')


cdef int note_event_attributes(Request* r, Wire event, bint exception) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Wire attribute, key, value
    cdef bint waits
    cdef uint32_t field
    cdef int type, status
    while event.p < event.end:
        status = wire_tag(&event, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field != 3 or type != WIRE_BYTES:
            status = wire_skip(&event, field, type, &r.v.error)
            if status != TS_OK:
                return status
            continue
        status = wire_bytes(&event, &attribute, &r.v.error)
        if status == TS_OK:
            status = read_key_value(&r.v, attribute, &key, &value)
        if status == TS_OK and not exception:
            status = note(r, &key, &value, True, &waits)
        elif status == TS_OK and text_is(&key, b"exception.type"):
            f.error_type = value
        elif status == TS_OK and text_is(&key, b"exception.message"):
            f.error_message = value
        if status != TS_OK:
            return status
    return TS_OK


cdef int note_event(Request* r, Wire event) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Wire w = event
    cdef Wire name
    cdef uint32_t field
    cdef int type, status
    name.p = name.end = w.end
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &name, &r.v.error)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    if text_is(&name, b"exception"):
        # The last one is what ended the span.
        f.failed = 1
        f.error_type.p = f.error_type.end = NULL
        f.error_message = f.error_type
        return note_event_attributes(r, event, True)
    if size_of(&name) < 7 or memcmp(name.p, b"gen_ai.", 7) != 0:
        return TS_OK
    if text_is(&name, b"gen_ai.system.message"):
        return note_message(r, event, b"system", &f.inputs)
    if text_is(&name, b"gen_ai.user.message"):
        return note_message(r, event, b"user", &f.inputs)
    if text_is(&name, b"gen_ai.assistant.message"):
        return note_message(r, event, b"assistant", &f.inputs)
    if text_is(&name, b"gen_ai.tool.message"):
        return note_message(r, event, b"tool", &f.inputs)
    if text_is(&name, b"gen_ai.choice"):
        return note_message(r, event, b"assistant", &f.outputs)
    return note_event_attributes(r, event, False)


# --- settling: who wins, and what stays an attribute ------------------------------------------------


cdef int nest_group(Request* r, Candidate* found, uint32_t first, uint32_t count) noexcept nogil:
    # The array that numbered keys of one prefix make waits like an attribute; without `text_end` it makes none.
    cdef SpanFields* f = &r.fields
    cdef Candidate c = found[first]
    cdef bint fits
    cdef int status
    c.first = first
    c.count = count
    c.text_start = f.texts.size
    status = nest(&r.v, f.table, found + first, count, &f.texts, &fits)
    if status != TS_OK:
        return status
    c.text_end = f.texts.size
    if not fits:
        c.slot = NO_SLOT
        c.text_end = c.text_start
    return TS_NO_MEMORY if buffer_bytes(&f.waiting, &c, sizeof(c)) != 0 else <int>TS_OK


cdef int nest_all(Request* r) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Candidate* found = <Candidate*>f.numbered.data
    cdef uint32_t count = <uint32_t>(f.numbered.size // sizeof(Candidate))
    cdef uint32_t first = 0
    cdef uint32_t next
    cdef int status
    sort_numbered(found, count, f.table)
    while first < count:
        next = first + 1
        while next < count and found[next].prefix == found[first].prefix:
            next += 1
        status = nest_group(r, found, first, next - first)
        if status != TS_OK:
            return status
        first = next
    return TS_OK


cdef int note_moved(SpanFields* f, const uint8_t* name, size_t size, bint numbered, uint32_t node, const char* form) noexcept nogil:
    # `"attribute":["column","form"]` of `moved_attributes`; numbered keys are named with a star.
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
        or buffer_bytes(out, b'"]', 2) != 0
    ):
        return TS_NO_MEMORY
    return TS_OK


cdef inline const char* form_of_numbered(const Candidate* c) noexcept nogil:
    return b"wrapped" if c.flags & RULE_WRAPPED else b"numbered"


cdef int keep_array(Request* r, Candidate* c, uint32_t* before) noexcept nogil:
    # An array that stays among the attributes under its prefix, or its keys as they came where it cannot.
    cdef SpanFields* f = &r.fields
    cdef State* s = r.v.s
    cdef const Prefix* prefix = &f.table.prefixes[c.prefix - 1]
    cdef const uint8_t* name = f.table.text.data + prefix.start
    cdef Candidate* keys = <Candidate*>f.numbered.data
    cdef uint32_t child = child_existing(s, NODE_ATTRIBUTES, name, prefix.size - 1)
    cdef JsonCursor j
    cdef uint32_t i
    cdef int status
    if c.text_end > c.text_start and (child == NONE or s.nodes[child].seen != s.serial):
        memset(&j, 0, sizeof(j))
        j.p = f.texts.data + c.text_start
        j.end = f.texts.data + c.text_end
        status = shred_member(s, &j, NODE_ATTRIBUTES, name, prefix.size - 1, before)
        if status == TS_OK:
            status = note_moved(f, name, prefix.size, True, NODE_ATTRIBUTES, form_of_numbered(c))
        return status
    for i in range(c.first, c.first + c.count):
        status = shred_pair(&r.v, &keys[i].key, &keys[i].value, NODE_ATTRIBUTES, before)
        if status != TS_OK:
            return status
    return TS_OK


cdef int fields_settle(Request* r, uint32_t* before) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Candidate* waiting
    cdef Candidate* best
    cdef uint32_t count, i
    cdef int status
    if f.numbered.size:
        status = nest_all(r)
        if status != TS_OK:
            return status
    waiting = <Candidate*>f.waiting.data
    count = <uint32_t>(f.waiting.size // sizeof(Candidate))
    for i in range(count):
        waiting[i].order = i
        if waiting[i].copied:
            waiting[i].rank |= COPIED_RANK
        if waiting[i].slot != NO_SLOT:
            tell(f, &waiting[i])
    # Attributes before arrays: an array makes way for an attribute of its name.
    for i in range(count):
        if waiting[i].prefix or waiting[i].copied:
            continue
        best = &f.best[waiting[i].slot]
        # The same attribute once more: its last value counts.
        if best.rank == waiting[i].rank:
            continue
        status = shred_pair(&r.v, &waiting[i].key, &waiting[i].value, NODE_ATTRIBUTES, before)
        if status != TS_OK:
            return status
    for i in range(count):
        if not waiting[i].prefix or (waiting[i].slot != NO_SLOT and f.best[waiting[i].slot].order == i):
            continue
        status = keep_array(r, &waiting[i], before)
        if status != TS_OK:
            return status
    return TS_OK


# --- filling columns --------------------------------------------------------------------------------


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


cdef int push_payload(Request* r, const Slot* slot, const Candidate* c) noexcept nogil:
    # What won `input`, `output` or `expected`.
    cdef SpanFields* f = &r.fields
    cdef State* s = r.v.s
    cdef AnyValue any
    cdef Text text
    cdef uint8_t first, second
    cdef bint whole = 0
    cdef const char* form = b"value"
    cdef const Prefix* prefix
    cdef const uint8_t* name
    cdef int status
    if c.prefix:
        status = push_json_text(r, slot.node, f.texts.data + c.text_start, c.text_end - c.text_start)
        if status != TS_OK:
            return status
        prefix = &f.table.prefixes[c.prefix - 1]
        name = f.table.text.data + prefix.start
        return note_moved(f, name, prefix.size, True, slot.node, form_of_numbered(c))
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
    if status != TS_OK or c.copied:
        return status
    return note_moved(f, c.key.p, size_of(&c.key), False, slot.node, form)


cdef int push_events(Request* r, uint32_t node, Buffer* messages) noexcept nogil:
    # Messages that came as events, as the array that attributes would have held.
    if messages.size == 0:
        return TS_OK
    messages.data[0] = c'['
    if buffer_u8(messages, c']') != 0:
        return TS_NO_MEMORY
    return push_json_text(r, node, messages.data, messages.size)


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


cdef int free_child(Request* r, uint32_t parent, const uint8_t* name, size_t size, uint32_t* child) noexcept nogil:
    # A child that this span has not set, entered; NONE where it has, or where there are too many paths.
    cdef State* s = r.v.s
    cdef uint32_t before = NONE
    cdef int status = child_find(s, parent, before, name, size, child)
    if status == TS_OK and child[0] != NONE:
        if s.nodes[child[0]].seen == s.serial:
            child[0] = NONE
        else:
            node_enter(s, child[0])
    return status


cdef int push_number(Request* r, uint32_t parent, const uint8_t* name, size_t size, const Candidate* c) noexcept nogil:
    cdef State* s = r.v.s
    cdef AnyValue any
    cdef uint32_t child, leaf
    cdef double f64
    cdef int status = read_any(&r.v, c.value, &any)
    if status != TS_OK or (any.kind != ANY_INT and any.kind != ANY_DOUBLE):
        return status
    status = free_child(r, parent, name, size, &child)
    if status != TS_OK or child == NONE:
        return status
    if any.kind == ANY_INT and not c.flags & RULE_MILLISECONDS:
        status = leaf_of(s, child, LEAF_I64, &leaf)
        if status == TS_OK:
            status = push_i64(s, leaf, <int64_t>any.word)
    else:
        memcpy(&f64, &any.word, 8)
        if any.kind == ANY_INT:
            f64 = <double><int64_t>any.word
        if c.flags & RULE_MILLISECONDS:
            f64 /= 1000.0
        status = leaf_of(s, child, LEAF_F64, &leaf)
        if status == TS_OK:
            status = push_f64(s, leaf, f64)
    node_leave(s, child)
    return status


cdef int push_scalar(Request* r, uint32_t parent, const uint8_t* name, size_t size, const Wire* value) noexcept nogil:
    # A string that is not empty, a number or a bool.
    cdef AnyValue any
    cdef uint32_t child
    cdef int status = read_any(&r.v, value[0], &any)
    if status != TS_OK or any.kind == ANY_EMPTY or any.kind > ANY_DOUBLE:
        return status
    if any.kind == ANY_STRING and any.bytes.p == any.bytes.end:
        return TS_OK
    status = free_child(r, parent, name, size, &child)
    if status != TS_OK or child == NONE:
        return status
    status = shred_any(&r.v, value[0], child)
    node_leave(r.v.s, child)
    return status


cdef int push_total(Request* r, uint32_t parent) noexcept nogil:
    # `tokens` where only its parts are told.
    cdef SpanFields* f = &r.fields
    cdef State* s = r.v.s
    cdef const Slot* slot
    cdef const uint8_t* name
    cdef AnyValue any
    cdef int64_t total = 0
    cdef bint known = 0
    cdef uint32_t child, leaf, i
    cdef int status
    for i in range(f.table.slot_count):
        slot = &f.table.slots[i]
        if slot.kind != SLOT_USAGE or not is_told(f, i):
            continue
        name = f.table.text.data + slot.name_start
        if slot.name_size == 6 and memcmp(name, b"tokens", 6) == 0:
            return TS_OK
        if (slot.name_size == 13 and memcmp(name, b"prompt_tokens", 13) == 0) or (
            slot.name_size == 17 and memcmp(name, b"completion_tokens", 17) == 0
        ):
            status = read_any(&r.v, f.best[i].value, &any)
            if status != TS_OK:
                return status
            # Beyond what a model can use, a sum says nothing and might wrap.
            if any.kind == ANY_INT and <int64_t>any.word >= 0 and <int64_t>any.word < (<int64_t>1 << 60):
                total += <int64_t>any.word
                known = 1
    if not known:
        return TS_OK
    status = free_child(r, parent, <const uint8_t*>b"tokens", 6, &child)
    if status != TS_OK or child == NONE:
        return status
    status = leaf_of(s, child, LEAF_I64, &leaf)
    if status == TS_OK:
        status = push_i64(s, leaf, total)
    node_leave(s, child)
    return status


cdef int push_error(Request* r, const Wire* error_type, bint failed, const Wire* status_message) noexcept nogil:
    # From the exception that the span recorded, else from its status: whatever says something first.
    cdef SpanFields* f = &r.fields
    cdef State* s = r.v.s
    cdef Text text
    cdef uint32_t child, leaf
    cdef int status = TS_OK
    if f.failed:
        status = push_scalar(r, SPAN_NODE_ERROR, <const uint8_t*>b"type", 4, &f.error_type)
        if status == TS_OK:
            status = push_scalar(r, SPAN_NODE_ERROR, <const uint8_t*>b"message", 7, &f.error_message)
    if status == TS_OK and error_type != NULL:
        status = push_scalar(r, SPAN_NODE_ERROR, <const uint8_t*>b"type", 4, error_type)
    if status != TS_OK or not failed or status_message.p == status_message.end:
        return status
    status = read_text(&r.v, status_message, &text)
    if status == TS_OK:
        status = free_child(r, SPAN_NODE_ERROR, <const uint8_t*>b"message", 7, &child)
    if status != TS_OK or child == NONE:
        return status
    status = leaf_of(s, child, LEAF_STR, &leaf)
    if status == TS_OK:
        status = push_bytes(s, leaf, text.p, text.size)
    node_leave(s, child)
    return status


cdef int push_evaluation(Request* r, const Candidate* name, const Candidate* score) noexcept nogil:
    cdef AnyValue any
    cdef int status
    if name == NULL or score == NULL:
        return TS_OK
    status = read_any(&r.v, name.value, &any)
    if status != TS_OK or any.kind != ANY_STRING or any.bytes.p == any.bytes.end:
        return status
    if utf8_first_bad(any.bytes.p, any.bytes.end) != any.bytes.end:
        return TS_OK
    return push_number(r, SPAN_NODE_SCORES, any.bytes.p, size_of(&any.bytes), score)


cdef int push_prefixed(Request* r) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Candidate* found = <Candidate*>f.prefixed.data
    cdef const Prefix* prefix
    cdef const uint8_t* rest
    cdef uint32_t i
    cdef int status
    for i in range(<uint32_t>(f.prefixed.size // sizeof(Candidate))):
        prefix = &f.table.prefixes[found[i].prefix - 1]
        rest = found[i].key.p + prefix.size
        if utf8_first_bad(rest, found[i].key.end) != found[i].key.end:
            continue
        status = push_scalar(r, prefix.node, rest, found[i].key.end - rest, &found[i].value)
        if status != TS_OK:
            return status
    return TS_OK


cdef int push_slot(Request* r, uint32_t at, uint32_t aggregated, bint aggregating) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Slot* slot = &f.table.slots[at]
    cdef const Candidate* c = &f.best[at]
    cdef const uint8_t* name = f.table.text.data + slot.name_start
    cdef uint32_t parent = slot.node
    if slot.kind == SLOT_MOVED:
        return push_payload(r, slot, c)
    if slot.kind == SLOT_PARSED:
        return push_parsed(r, slot, c)
    if slot.kind == SLOT_SCALAR:
        return push_scalar(r, parent, name, slot.name_size, &c.value)
    if slot.kind == SLOT_AGGREGATED or (slot.kind == SLOT_USAGE and aggregating):
        parent = aggregated
    elif slot.kind != SLOT_NUMBER and slot.kind != SLOT_USAGE:
        return TS_OK
    return TS_OK if parent == NONE else push_number(r, parent, name, slot.name_size, c)


cdef int find_aggregated(Request* r, bint aggregating, uint32_t* node) noexcept nogil:
    # `metrics.aggregated`, made when first needed; NONE where the span says something else there.
    cdef SpanFields* f = &r.fields
    cdef bint wanted = 0
    cdef uint32_t i
    cdef int status
    node[0] = NONE
    for i in range(f.table.slot_count):
        if is_told(f, i):
            wanted |= f.table.slots[i].kind == SLOT_AGGREGATED or (aggregating and f.table.slots[i].kind == SLOT_USAGE)
    if not wanted:
        return TS_OK
    status = child_find(r.v.s, SPAN_NODE_METRICS, NONE, <const uint8_t*>b"aggregated", 10, node)
    if status == TS_OK and node[0] != NONE and r.v.s.nodes[node[0]].seen == r.v.s.serial:
        node[0] = NONE
    return status


cdef int fields_push(Request* r, bint failed, const Wire* status_message) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Table* t = f.table
    cdef const Wire* error_type = NULL
    cdef const Candidate* name = NULL
    cdef const Candidate* score = NULL
    cdef bint aggregating = 0
    cdef bint has_error = 0
    cdef uint32_t aggregated = NONE
    cdef uint32_t i
    cdef int status = TS_OK
    if not f.told and not failed and not f.failed and not (f.inputs.size | f.outputs.size | f.prefixed.size | f.moved.size):
        return TS_OK
    for i in range(t.slot_count):
        if t.slots[i].kind == SLOT_MOVED and not is_told(f, i):
            if t.slots[i].node == SPAN_NODE_INPUT:
                status = push_events(r, SPAN_NODE_INPUT, &f.inputs)
            elif t.slots[i].node == SPAN_NODE_OUTPUT:
                status = push_events(r, SPAN_NODE_OUTPUT, &f.outputs)
            if status != TS_OK:
                return status
        if not is_told(f, i):
            continue
        if t.slots[i].kind == SLOT_TYPE:
            aggregating = (f.best[i].flags & RULE_AGGREGATING) != 0
            status = push_bytes(r.v.s, SPAN_TYPE, f.best[i].value.p, size_of(&f.best[i].value))
            if status != TS_OK:
                return status
        elif t.slots[i].kind == SLOT_EVALUATION_NAME:
            name = &f.best[i]
        elif t.slots[i].kind == SLOT_EVALUATION_SCORE:
            score = &f.best[i]
        elif t.slots[i].kind == SLOT_ERROR_TYPE:
            error_type = &f.best[i].value
        has_error |= t.slots[i].node == SPAN_NODE_ERROR and t.slots[i].kind == SLOT_PARSED
    status = find_aggregated(r, aggregating, &aggregated)
    # In the table's order: whole values before their parts.
    for i in range(t.slot_count):
        if status == TS_OK and is_told(f, i):
            status = push_slot(r, i, aggregated, aggregating)
    if status == TS_OK and (not aggregating or aggregated != NONE):
        status = push_total(r, aggregated if aggregating else <uint32_t>SPAN_NODE_METRICS)
    if status == TS_OK:
        status = push_prefixed(r)
    if status == TS_OK:
        status = push_evaluation(r, name, score)
    if status == TS_OK and not has_error:
        status = push_error(r, error_type, failed, status_message)
    if status == TS_OK and f.moved.size:
        if buffer_u8(&f.moved, c'}') != 0:
            return TS_NO_MEMORY
        status = push_bytes(r.v.s, SPAN_MOVED_ATTRIBUTES, f.moved.data, f.moved.size)
    return status
