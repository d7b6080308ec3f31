"""Objects and parts of messages: see message_parts.pxd.

Everything is read where it lies; the text is known to be JSON, so that a value that does not read is a value that is
not there. Linear in the text, once for each level that is looked into.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memset, strlen

from tracestore._native.buffer cimport Buffer, buffer_bytes
from tracestore._native.conventions cimport Table
from tracestore._native.json_reader cimport (
    JsonCursor,
    json_colon,
    json_open,
    json_separator,
    json_skip_value,
    json_space,
)
from tracestore._native.message_names cimport (
    FIELD_ANSWER,
    FIELD_CALL,
    FIELD_CONTENT,
    FIELD_FUNCTION,
    FIELD_IMAGE,
    FIELD_TEXT,
    FIELD_TYPE,
    NAME_MEMBER,
    NAME_PART,
    NameKind,
    PART_CALL,
    PART_IMAGE,
    PART_NOTHING,
    PART_OTHER,
    PART_RESULT,
    PART_TEXT,
    find_name,
)
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK

cdef enum:
    # Parts of one body; one with more stays as it is.
    MAX_PARTS = 65_536


cdef inline JsonCursor cursor_at(const JsonSpan* value) noexcept nogil:
    cdef JsonCursor j
    memset(&j, 0, sizeof(j))
    j.p = value.p
    j.end = value.end
    return j


cdef bint read_object(const Table* table, const JsonSpan* value, Object* out) noexcept nogil:
    cdef JsonCursor j = cursor_at(value)
    cdef Member* found
    cdef bint more = 1
    out.count = 0
    if not is_open(value, c'{') or json_open(&j) != TS_OK:
        return 0
    if j.p < j.end and j.p[0] == c'}':
        return 1
    while more:
        if out.count == <uint32_t>MAX_MEMBERS or j.p >= j.end or j.p[0] != c'"':
            return 0
        found = &out.members[out.count]
        found.key.p = j.p
        if json_skip_value(&j) != TS_OK:
            return 0
        found.key.end = j.p
        if json_colon(&j) != TS_OK:
            return 0
        found.value.p = j.p
        if json_skip_value(&j) != TS_OK:
            return 0
        found.value.end = j.p
        # A name with escapes is spelled otherwise: it means nothing here.
        found.field = named(table, NAME_MEMBER, &found.key)
        out.count += 1
        if json_separator(&j, c'}', &more) != TS_OK:
            return 0
    return 1


cdef JsonSpan member(const Object* o, uint8_t field) noexcept nogil:
    cdef JsonSpan none
    cdef uint32_t i = o.count
    none.p = none.end = NULL
    while i:
        i -= 1
        if o.members[i].field == field:
            return o.members[i].value
    return none


cdef bint is_word(const JsonSpan* value, const char* text) noexcept nogil:
    cdef size_t size = strlen(text)
    return <size_t>(value.end - value.p) == size and memcmp(value.p, text, size) == 0


cdef bint is_spelled(const Object* o, uint8_t field, const char* key) noexcept nogil:
    cdef uint32_t i = o.count
    while i:
        i -= 1
        if o.members[i].field == field:
            return is_word(&o.members[i].key, key)
    return 0


cdef uint8_t named(const Table* table, int kind, const JsonSpan* text) noexcept nogil:
    if not is_text(text) or text.end - text.p > 64:
        return 0
    return find_name(table, <NameKind>kind, text.p + 1, text.end - text.p - 2)


cdef uint8_t part_kind(const Table* table, const Object* o) noexcept nogil:
    cdef JsonSpan type = member(o, FIELD_TYPE)
    cdef uint8_t kind = named(table, NAME_PART, &type)
    cdef JsonSpan value
    if kind == PART_TEXT:
        value = member(o, FIELD_TEXT)
        if not is_text(&value):
            value = member(o, FIELD_CONTENT)
        return PART_TEXT if is_text(&value) else <int>PART_OTHER
    if kind == PART_CALL and o.count == 1:
        # Its type alone: what it calls stands elsewhere.
        return PART_NOTHING
    if kind:
        return kind
    value = member(o, FIELD_CALL)
    if is_open(&value, c'{'):
        return PART_CALL
    value = member(o, FIELD_ANSWER)
    if is_open(&value, c'{'):
        return PART_RESULT
    if is_text(&type):
        return PART_OTHER
    value = member(o, FIELD_TEXT)
    if is_text(&value):
        return PART_TEXT
    value = member(o, FIELD_FUNCTION)
    if is_open(&value, c'{'):
        return PART_CALL
    value = member(o, FIELD_IMAGE)
    return PART_IMAGE if is_open(&value, c'{') else <int>PART_OTHER


cdef int add_part(const Table* table, Buffer* parts, const JsonSpan* value) noexcept nogil:
    cdef Object o
    cdef Part part
    part.value = value[0]
    part.kind = PART_OTHER
    if is_text(value):
        part.kind = PART_TEXT
    elif read_object(table, value, &o):
        part.kind = part_kind(table, &o)
    return TS_NO_MEMORY if buffer_bytes(parts, &part, sizeof(Part)) != 0 else <int>TS_OK


cdef int read_parts(const Table* table, Buffer* parts, const JsonSpan* body, bint* fits) noexcept nogil:
    cdef JsonSpan at = body[0]
    cdef JsonSpan item
    cdef int status
    fits[0] = 1
    if not is_open(body, c'['):
        return add_part(table, parts, body) if is_set(body) else <int>TS_OK
    while next_item(&at, &item):
        if parts.size >= MAX_PARTS * sizeof(Part):
            fits[0] = 0
            return TS_OK
        status = add_part(table, parts, &item)
        if status != TS_OK:
            return status
    return TS_OK


cdef bint next_item(JsonSpan* at, JsonSpan* item) noexcept nogil:
    # The first call stands at the bracket, later ones behind the item before.
    cdef JsonCursor j = cursor_at(at)
    json_space(&j)
    if j.p >= j.end or (j.p[0] != c'[' and j.p[0] != c','):
        return 0
    j.p += 1
    json_space(&j)
    if j.p >= j.end or j.p[0] == c']':
        return 0
    item.p = j.p
    if json_skip_value(&j) != TS_OK:
        return 0
    item.end = j.p
    at.p = j.p
    return 1
