"""What one attribute says: see span_told.pxd.

Numbers come as integers, doubles or text; usage also as the members of one JSON object. Linear in the value; no
value is kept, a candidate points into the request.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memset, strlen

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_u8
from tracestore._native.conventions cimport (
    NO_SLOT,
    RULE_COMMAS,
    RULE_JSON,
    RULE_MILLISECONDS,
    RULE_TIME,
    RULE_WHOLE_MILLISECONDS,
    SLOT_AGGREGATED,
    SLOT_BEGUN,
    SLOT_ERROR_MESSAGE,
    SLOT_ERROR_TYPE,
    SLOT_EVALUATION_NAME,
    SLOT_EVALUATION_SCORE,
    SLOT_NUMBER,
    SLOT_PARSED,
    SLOT_SCALAR,
    SLOT_SYSTEM,
    SLOT_USAGE,
    VALUE_F64,
    VALUE_I64,
    VALUE_TEXT,
    VALUE_TIME,
    Candidate,
    Rule,
    Slot,
    SlotKind,
    SpanFields,
    find_rule,
    is_told,
)
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_key,
    json_open,
    json_separator,
    json_skip_value,
    json_string,
)
from tracestore._native.number cimport NUMBER_BAD, NUMBER_I64, NUMBER_TEXT, NumberKind, number_read, number_round
from tracestore._native.otlp_request cimport Request, size_of
from tracestore._native.otlp_value cimport (
    ANY_ARRAY,
    ANY_BYTES,
    ANY_DOUBLE,
    ANY_EMPTY,
    ANY_INT,
    ANY_KVLIST,
    ANY_STRING,
    AnyValue,
    read_any,
    read_key_value,
)
from tracestore._native.protobuf cimport WIRE_BYTES, Wire, wire_bytes, wire_skip, wire_tag
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.tables cimport SPAN_NODE_ERROR, SPAN_NODE_TAGS
from tracestore._native.timestamp cimport read_timestamp

cdef enum:
    # Objects inside the object whose members say something: `prompt_tokens_details.cached_tokens`.
    MAX_MEMBER_LEVELS = 2


cdef void tell(SpanFields* f, const Candidate* c) noexcept nogil:
    # The lower rank wins; of one attribute that comes twice, the later.
    if is_told(f, c.slot) and f.best[c.slot].rank < c.rank:
        return
    f.told |= <uint64_t>1 << c.slot
    f.best[c.slot] = c[0]


cdef inline Wire trimmed(const Wire* w) noexcept nogil:
    # Without the white space of JSON on either side.
    cdef Wire t = w[0]
    while t.p < t.end and (t.p[0] == c' ' or 9 <= t.p[0] <= 10 or t.p[0] == 13):
        t.p += 1
    while t.p < t.end and ((t.end - 1)[0] == c' ' or 9 <= (t.end - 1)[0] <= 10 or (t.end - 1)[0] == 13):
        t.end -= 1
    return t


cdef inline bint wire_is(const Wire* w, const char* text) noexcept nogil:
    return size_of(w) == strlen(text) and memcmp(w.p, text, strlen(text)) == 0


cdef inline JsonCursor cursor_of(const Wire* w) noexcept nogil:
    cdef JsonCursor j
    memset(&j, 0, sizeof(j))
    j.p = w.p
    j.end = w.end
    return j


cdef bint is_json(const Wire* w) noexcept nogil:
    # One whole JSON value; the text is trimmed.
    cdef JsonCursor j = cursor_of(w)
    return json_skip_value(&j) == TS_OK and j.p == j.end


cdef bint unquoted(Request* r, Wire* w) noexcept nogil:
    # The text inside one JSON string; 0 where it is none, or holds an escape.
    cdef JsonCursor j = cursor_of(w)
    cdef Text text
    if j.p >= j.end or j.p[0] != c'"':
        return 0
    if json_string(&j, &r.fields.scratch, &text) != TS_OK or j.p != j.end or text.p != w.p + 1:
        return 0
    w.p = text.p
    w.end = text.p + text.size
    return 1


# --- numbers -------------------------------------------------------------------------------------------


cdef bint set_f64(Candidate* c, double value) noexcept nogil:
    # Neither NaN nor an infinity is a number of anything.
    if value - value != 0.0:
        return 0
    memcpy(&c.word, &value, 8)
    c.form = VALUE_F64
    return 1


cdef bint set_number(Candidate* c, bint is_count, bint is_i64, int64_t i64, double f64) noexcept nogil:
    # 2^53: below it every whole double is exactly an integer.
    if is_i64 and c.flags & (<int>RULE_MILLISECONDS | <int>RULE_WHOLE_MILLISECONDS):
        return set_f64(c, <double>i64 / 1000.0)
    if c.flags & RULE_MILLISECONDS:
        return set_f64(c, f64 / 1000.0)
    if is_count and not is_i64 and 0.0 <= f64 < 9007199254740992.0 and <double><int64_t>f64 == f64:
        is_i64 = 1
        i64 = <int64_t>f64
    if is_count and ((is_i64 and i64 < 0) or (not is_i64 and f64 < 0.0)):
        return 0
    if is_i64:
        c.word = <uint64_t>i64
        c.form = VALUE_I64
        return 1
    return set_f64(c, f64)


cdef bint text_number(Request* r, Candidate* c, bint is_count, const Wire* text) noexcept nogil:
    # A number of JSON or a time, quoted or not.
    cdef Wire t = trimmed(text)
    cdef const uint8_t* next
    cdef int64_t i64 = 0
    cdef double f64 = 0.0
    cdef NumberKind kind
    unquoted(r, &t)
    if t.p >= t.end:
        return 0
    if c.flags & RULE_TIME:
        c.form = VALUE_TIME
        if not read_timestamp(t.p, size_of(&t), &i64):
            return 0
        c.word = <uint64_t>i64
        return 1
    kind = number_read(t.p, t.end, &next, &i64, &f64)
    if kind == NUMBER_BAD or next != t.end:
        return 0
    if kind == NUMBER_TEXT:
        f64 = number_round(t.p, t.end)
    return set_number(c, is_count, kind == NUMBER_I64, i64, f64)


cdef bint any_number(Request* r, Candidate* c, bint is_count, const AnyValue* any) noexcept nogil:
    cdef double f64
    if any.kind == ANY_STRING:
        return text_number(r, c, is_count, &any.bytes)
    if c.flags & RULE_TIME:
        return 0
    if any.kind == ANY_INT:
        return set_number(c, is_count, True, <int64_t>any.word, 0.0)
    memcpy(&f64, &any.word, 8)
    return any.kind == ANY_DOUBLE and set_number(c, is_count, False, 0, f64)


# --- texts and single values ----------------------------------------------------------------------------


cdef void cut_provider(Request* r, Wire* w) noexcept nogil:
    # `openai.chat` is openai: what stands behind the dot is in the table, as a word behind the byte 1.
    cdef SpanFields* f = &r.fields
    cdef const uint8_t* dot = w.p
    while dot < w.end and dot[0] != c'.':
        dot += 1
    if dot == w.p or dot + 1 >= w.end:
        return
    # Not in `pairs`: a path of members may stand there.
    f.scratch.size = 0
    if buffer_u8(&f.scratch, 1) != 0 or buffer_bytes(&f.scratch, dot + 1, w.end - dot - 1) != 0:
        return
    if find_rule(f.table, f.scratch.data, f.scratch.size) != NULL:
        w.end = dot


cdef bint any_scalar(Request* r, Candidate* c, const Slot* slot, const AnyValue* any) noexcept nogil:
    # A text that is not empty, a number or a bool.
    cdef Wire text
    if any.kind == ANY_EMPTY or any.kind > ANY_DOUBLE:
        return 0
    if any.kind != ANY_STRING:
        return 1
    text = any.bytes
    if c.flags & RULE_JSON:
        text = trimmed(&text)
        if wire_is(&text, b"null"):
            return 0
        unquoted(r, &text)
    if text.p == text.end:
        return 0
    if slot.is_provider:
        cut_provider(r, &text)
    c.form = VALUE_TEXT
    c.value = text
    return 1


cdef bint is_parsable(const Candidate* c, const Slot* slot, const AnyValue* any) noexcept nogil:
    # Tags and errors are any value but none; the other columns are objects with members.
    cdef Wire text
    cdef bint open = slot.node == SPAN_NODE_TAGS or slot.node == SPAN_NODE_ERROR
    if any.kind == ANY_EMPTY:
        return 0
    if any.kind == ANY_ARRAY or any.kind == ANY_BYTES:
        return open and any.bytes.p < any.bytes.end
    if any.kind == ANY_KVLIST:
        return any.bytes.p < any.bytes.end
    if any.kind != ANY_STRING:
        return open
    text = trimmed(&any.bytes)
    if text.p == text.end:
        return 0
    if c.flags & RULE_COMMAS:
        return 1
    if text.p[0] == c'{':
        return not wire_is(&text, b"{}") and (open or is_json(&text))
    return open and not wire_is(&text, b"[]") and not (c.flags & RULE_JSON and wire_is(&text, b"null"))


cdef int note_told(Request* r, Candidate* c) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Slot* slot = &f.table.slots[c.slot]
    cdef SlotKind kind = slot.kind
    cdef AnyValue any
    cdef bint usable = 0
    cdef int status
    # What is told for good by an attribute before it in the table need not be read.
    if is_told(f, c.slot) and f.best[c.slot].rank < c.rank:
        return TS_OK
    status = read_any(&r.v, c.value, &any)
    if status != TS_OK:
        return status
    if kind == SLOT_USAGE or kind == SLOT_AGGREGATED or kind == SLOT_NUMBER or kind == SLOT_EVALUATION_SCORE:
        usable = any_number(r, c, slot.is_count, &any)
    elif kind == SLOT_SCALAR or kind == SLOT_ERROR_TYPE or kind == SLOT_ERROR_MESSAGE:
        usable = any_scalar(r, c, slot, &any)
    elif kind == SLOT_EVALUATION_NAME or kind == SLOT_BEGUN:
        usable = any.kind == ANY_STRING and any.bytes.p < any.bytes.end
    elif kind == SLOT_PARSED:
        usable = is_parsable(c, slot, &any)
    elif kind == SLOT_SYSTEM:
        usable = any.kind == ANY_STRING or any.kind == ANY_ARRAY
        usable = usable and any.bytes.p < any.bytes.end
    if usable:
        tell(f, c)
    return TS_OK


# --- members of objects ---------------------------------------------------------------------------------


cdef bint member_candidate(SpanFields* f, const Rule* rule, const Wire* key, Candidate* c) noexcept nogil:
    # The candidate of the member whose path stands in `pairs`; 0 where it says nothing.
    cdef const Rule* member = find_rule(f.table, f.pairs.data, f.pairs.size)
    if member == NULL or member.slot == <uint8_t>NO_SLOT:
        return 0
    memset(c, 0, sizeof(Candidate))
    c.key = key[0]
    c.slot = member.slot
    c.rank = rule.member_rank
    c.flags = member.flags
    return 1


cdef void note_json_member(Request* r, const Rule* rule, const Wire* key, const Wire* text) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Slot* slot
    cdef Candidate c
    if not member_candidate(f, rule, key, &c):
        return
    slot = &f.table.slots[c.slot]
    if slot.kind == SLOT_USAGE or slot.kind == SLOT_NUMBER:
        if text_number(r, &c, slot.is_count, text):
            tell(f, &c)
        return
    c.value = text[0]
    if unquoted(r, &c.value) and c.value.p < c.value.end:
        if slot.is_provider:
            cut_provider(r, &c.value)
        c.form = VALUE_TEXT
        tell(f, &c)


cdef int walk_json(Request* r, const Rule* rule, const Wire* key, JsonCursor* j, int level) noexcept nogil:
    # The members of the object at the cursor, whose text is known to be JSON.
    cdef Buffer* path = &r.fields.pairs
    cdef size_t start = path.size
    cdef bint more = 1
    cdef Text name
    cdef Wire text
    if json_open(j) != TS_OK or (j.p < j.end and j.p[0] == c'}'):
        j.p += 1
        j.depth -= 1
        return TS_OK
    while more:
        if json_key(j, &r.fields.scratch, &name) != TS_OK:
            return TS_OK
        path.size = start
        if buffer_bytes(path, name.p, name.size) != 0:
            return TS_NO_MEMORY
        if j.p < j.end and j.p[0] == c'{' and level + 1 < MAX_MEMBER_LEVELS:
            if buffer_u8(path, c'.') != 0 or walk_json(r, rule, key, j, level + 1) != TS_OK:
                return TS_NO_MEMORY
        else:
            text.p = j.p
            if json_skip_value(j) != TS_OK:
                return TS_OK
            text.end = j.p
            note_json_member(r, rule, key, &text)
        if json_separator(j, c'}', &more) != TS_OK:
            return TS_OK
    j.depth -= 1
    return TS_OK


cdef int walk_list(Request* r, const Rule* rule, const Wire* key, Wire list, int level) noexcept nogil:
    cdef Buffer* path = &r.fields.pairs
    cdef size_t start = path.size
    cdef Wire pair, name, value
    cdef AnyValue any
    cdef Candidate c
    cdef uint32_t field
    cdef int type, status
    while list.p < list.end:
        status = wire_tag(&list, &field, &type, &r.v.error)
        if status == TS_OK and (field != 1 or type != WIRE_BYTES):
            status = wire_skip(&list, field, type, &r.v.error)
            if status == TS_OK:
                continue
        if status == TS_OK:
            status = wire_bytes(&list, &pair, &r.v.error)
        if status == TS_OK:
            status = read_key_value(&r.v, pair, &name, &value)
        if status == TS_OK:
            status = read_any(&r.v, value, &any)
        if status != TS_OK:
            return status
        path.size = start
        if buffer_bytes(path, name.p, size_of(&name)) != 0:
            return TS_NO_MEMORY
        if any.kind == ANY_KVLIST and level + 1 < MAX_MEMBER_LEVELS:
            if buffer_u8(path, c'.') != 0:
                return TS_NO_MEMORY
            status = walk_list(r, rule, key, any.bytes, level + 1)
        elif member_candidate(&r.fields, rule, key, &c):
            c.value = value
            status = note_told(r, &c)
        if status != TS_OK:
            return status
    return TS_OK


cdef int note_members(Request* r, const Rule* rule, const Wire* key, const Wire* value) noexcept nogil:
    cdef Buffer* path = &r.fields.pairs
    cdef AnyValue any
    cdef JsonCursor j
    cdef Wire text
    cdef int status = read_any(&r.v, value[0], &any)
    if status != TS_OK:
        return status
    # Members are in the table as NUL, the number of their names, and their path.
    path.size = 0
    if buffer_u8(path, 0) != 0 or buffer_u8(path, rule.members) != 0:
        return TS_NO_MEMORY
    if any.kind == ANY_KVLIST:
        return walk_list(r, rule, key, any.bytes, 0)
    if any.kind != ANY_STRING:
        return TS_OK
    text = trimmed(&any.bytes)
    if text.p == text.end or text.p[0] != c'{' or not is_json(&text):
        return TS_OK
    j = cursor_of(&text)
    return walk_json(r, rule, key, &j, 0)


# --- payloads -------------------------------------------------------------------------------------------


cdef int is_empty_payload(Request* r, const Wire* value, bint* empty) noexcept nogil:
    cdef AnyValue any
    cdef Wire text
    cdef int status = read_any(&r.v, value[0], &any)
    if status != TS_OK:
        return status
    empty[0] = any.kind == ANY_EMPTY
    if any.kind == ANY_ARRAY or any.kind == ANY_KVLIST or any.kind == ANY_BYTES:
        empty[0] = any.bytes.p == any.bytes.end
    elif any.kind == ANY_STRING:
        text = trimmed(&any.bytes)
        empty[0] = (
            text.p == text.end
            or wire_is(&text, b"null")
            or wire_is(&text, b'""')
            or wire_is(&text, b"[]")
            or wire_is(&text, b"{}")
        )
    return TS_OK
