"""OTLP/JSON in one pass, driven by a table of messages and fields; unknown fields are skipped.

The rules of the OTLP specification: lowerCamelCase names, ids in hex, 64-bit integers as text or
numbers, bytes in base64, enums as numbers. Taken besides, since clients send them: enums by name, and
attributes as a plain JSON object.
Lengths are written as five-byte varints and patched when a message ends.
"""

from libc.stdint cimport UINT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, strlen

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_free, buffer_reserve, buffer_u8, buffer_u64
from tracestore._native.json_reader cimport (
    Text,
    json_bad_number,
    json_fail,
    json_key,
    json_literal,
    json_open,
    json_separator,
    json_skip_value,
    json_space,
    json_string,
)
from tracestore._native.number cimport (
    NUMBER_BAD,
    NUMBER_F64,
    NUMBER_I64,
    NUMBER_TEXT,
    NumberKind,
    number_read,
    number_round,
)
from tracestore._native.rejections cimport reject
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK, TS_ROW
from tracestore._native.text cimport hex_value, read_base64

cdef enum Message:
    TRACE_REQUEST
    RESOURCE_SPANS
    SCOPE_SPANS
    SPAN
    EVENT
    LINK
    SPAN_STATUS
    LOG_REQUEST
    RESOURCE_LOGS
    SCOPE_LOGS
    LOG_RECORD
    RESOURCE
    SCOPE
    KEY_VALUE
    ANY_VALUE
    ARRAY_VALUE
    KEY_VALUE_LIST

cdef enum FieldKind:
    AS_MESSAGE
    AS_MESSAGES
    # Rows: messages that are refused one by one.
    AS_ROWS
    AS_ATTRIBUTES
    AS_STRING
    AS_HEX
    AS_BASE64
    AS_UINT32
    AS_INT64
    AS_ENUM
    AS_BOOL
    AS_FIXED64
    AS_FIXED32
    AS_DOUBLE


cdef struct Field:
    Message owner
    const char* name
    uint32_t number
    FieldKind kind
    Message message


cdef enum:
    FIELDS = 70
    LENGTH_BYTES = 5

cdef Field TABLE[FIELDS]
# First entry of each message in TABLE, and one past its last.
cdef int FIRST[KEY_VALUE_LIST + 1]
cdef int LAST[KEY_VALUE_LIST + 1]
cdef int filled = 0


cdef int field(Message owner, const char* name, uint32_t number, FieldKind kind, Message message) except -1:
    global filled
    if FIRST[<int>owner] == LAST[<int>owner]:
        FIRST[<int>owner] = filled
    TABLE[filled].owner = owner
    TABLE[filled].name = name
    TABLE[filled].number = number
    TABLE[filled].kind = kind
    TABLE[filled].message = message
    filled += 1
    LAST[<int>owner] = filled
    return 0


cdef int fill_table() except -1:
    field(TRACE_REQUEST, "resourceSpans", 1, AS_MESSAGES, RESOURCE_SPANS)
    field(RESOURCE_SPANS, "resource", 1, AS_MESSAGE, RESOURCE)
    field(RESOURCE_SPANS, "scopeSpans", 2, AS_MESSAGES, SCOPE_SPANS)
    field(RESOURCE_SPANS, "schemaUrl", 3, AS_STRING, ANY_VALUE)
    field(SCOPE_SPANS, "scope", 1, AS_MESSAGE, SCOPE)
    field(SCOPE_SPANS, "spans", 2, AS_ROWS, SPAN)
    field(SCOPE_SPANS, "schemaUrl", 3, AS_STRING, ANY_VALUE)
    field(SPAN, "traceId", 1, AS_HEX, ANY_VALUE)
    field(SPAN, "spanId", 2, AS_HEX, ANY_VALUE)
    field(SPAN, "traceState", 3, AS_STRING, ANY_VALUE)
    field(SPAN, "parentSpanId", 4, AS_HEX, ANY_VALUE)
    field(SPAN, "name", 5, AS_STRING, ANY_VALUE)
    field(SPAN, "kind", 6, AS_ENUM, ANY_VALUE)
    field(SPAN, "startTimeUnixNano", 7, AS_FIXED64, ANY_VALUE)
    field(SPAN, "endTimeUnixNano", 8, AS_FIXED64, ANY_VALUE)
    field(SPAN, "attributes", 9, AS_ATTRIBUTES, KEY_VALUE)
    field(SPAN, "droppedAttributesCount", 10, AS_UINT32, ANY_VALUE)
    field(SPAN, "events", 11, AS_MESSAGES, EVENT)
    field(SPAN, "droppedEventsCount", 12, AS_UINT32, ANY_VALUE)
    field(SPAN, "links", 13, AS_MESSAGES, LINK)
    field(SPAN, "droppedLinksCount", 14, AS_UINT32, ANY_VALUE)
    field(SPAN, "status", 15, AS_MESSAGE, SPAN_STATUS)
    field(SPAN, "flags", 16, AS_FIXED32, ANY_VALUE)
    field(EVENT, "timeUnixNano", 1, AS_FIXED64, ANY_VALUE)
    field(EVENT, "name", 2, AS_STRING, ANY_VALUE)
    field(EVENT, "attributes", 3, AS_ATTRIBUTES, KEY_VALUE)
    field(EVENT, "droppedAttributesCount", 4, AS_UINT32, ANY_VALUE)
    field(LINK, "traceId", 1, AS_HEX, ANY_VALUE)
    field(LINK, "spanId", 2, AS_HEX, ANY_VALUE)
    field(LINK, "traceState", 3, AS_STRING, ANY_VALUE)
    field(LINK, "attributes", 4, AS_ATTRIBUTES, KEY_VALUE)
    field(LINK, "droppedAttributesCount", 5, AS_UINT32, ANY_VALUE)
    field(LINK, "flags", 6, AS_FIXED32, ANY_VALUE)
    field(SPAN_STATUS, "message", 2, AS_STRING, ANY_VALUE)
    field(SPAN_STATUS, "code", 3, AS_ENUM, ANY_VALUE)
    field(LOG_REQUEST, "resourceLogs", 1, AS_MESSAGES, RESOURCE_LOGS)
    field(RESOURCE_LOGS, "resource", 1, AS_MESSAGE, RESOURCE)
    field(RESOURCE_LOGS, "scopeLogs", 2, AS_MESSAGES, SCOPE_LOGS)
    field(RESOURCE_LOGS, "schemaUrl", 3, AS_STRING, ANY_VALUE)
    field(SCOPE_LOGS, "scope", 1, AS_MESSAGE, SCOPE)
    field(SCOPE_LOGS, "logRecords", 2, AS_ROWS, LOG_RECORD)
    field(SCOPE_LOGS, "schemaUrl", 3, AS_STRING, ANY_VALUE)
    field(LOG_RECORD, "timeUnixNano", 1, AS_FIXED64, ANY_VALUE)
    field(LOG_RECORD, "severityNumber", 2, AS_ENUM, ANY_VALUE)
    field(LOG_RECORD, "severityText", 3, AS_STRING, ANY_VALUE)
    field(LOG_RECORD, "body", 5, AS_MESSAGE, ANY_VALUE)
    field(LOG_RECORD, "attributes", 6, AS_ATTRIBUTES, KEY_VALUE)
    field(LOG_RECORD, "droppedAttributesCount", 7, AS_UINT32, ANY_VALUE)
    field(LOG_RECORD, "flags", 8, AS_FIXED32, ANY_VALUE)
    field(LOG_RECORD, "traceId", 9, AS_HEX, ANY_VALUE)
    field(LOG_RECORD, "spanId", 10, AS_HEX, ANY_VALUE)
    field(LOG_RECORD, "observedTimeUnixNano", 11, AS_FIXED64, ANY_VALUE)
    field(LOG_RECORD, "eventName", 12, AS_STRING, ANY_VALUE)
    field(RESOURCE, "attributes", 1, AS_ATTRIBUTES, KEY_VALUE)
    field(RESOURCE, "droppedAttributesCount", 2, AS_UINT32, ANY_VALUE)
    field(SCOPE, "name", 1, AS_STRING, ANY_VALUE)
    field(SCOPE, "version", 2, AS_STRING, ANY_VALUE)
    field(SCOPE, "attributes", 3, AS_ATTRIBUTES, KEY_VALUE)
    field(SCOPE, "droppedAttributesCount", 4, AS_UINT32, ANY_VALUE)
    field(KEY_VALUE, "key", 1, AS_STRING, ANY_VALUE)
    field(KEY_VALUE, "value", 2, AS_MESSAGE, ANY_VALUE)
    field(ANY_VALUE, "stringValue", 1, AS_STRING, ANY_VALUE)
    field(ANY_VALUE, "boolValue", 2, AS_BOOL, ANY_VALUE)
    field(ANY_VALUE, "intValue", 3, AS_INT64, ANY_VALUE)
    field(ANY_VALUE, "doubleValue", 4, AS_DOUBLE, ANY_VALUE)
    field(ANY_VALUE, "arrayValue", 5, AS_MESSAGE, ARRAY_VALUE)
    field(ANY_VALUE, "kvlistValue", 6, AS_MESSAGE, KEY_VALUE_LIST)
    field(ANY_VALUE, "bytesValue", 7, AS_BASE64, ANY_VALUE)
    field(ARRAY_VALUE, "values", 1, AS_MESSAGES, ANY_VALUE)
    field(KEY_VALUE_LIST, "values", 1, AS_ATTRIBUTES, KEY_VALUE)
    return 0


fill_table()


cdef struct EnumName:
    # Length of the prefix the enum's names share, which tells the enums apart.
    size_t prefix
    const char* name
    uint64_t number


cdef enum:
    ENUM_NAMES = 16

cdef EnumName* ENUMS = [
    EnumName(10, b"UNSPECIFIED", 0),
    EnumName(10, b"INTERNAL", 1),
    EnumName(10, b"SERVER", 2),
    EnumName(10, b"CLIENT", 3),
    EnumName(10, b"PRODUCER", 4),
    EnumName(10, b"CONSUMER", 5),
    EnumName(12, b"UNSET", 0),
    EnumName(12, b"OK", 1),
    EnumName(12, b"ERROR", 2),
    EnumName(16, b"UNSPECIFIED", 0),
    EnumName(16, b"TRACE", 1),
    EnumName(16, b"DEBUG", 5),
    EnumName(16, b"INFO", 9),
    EnumName(16, b"WARN", 13),
    EnumName(16, b"ERROR", 17),
    EnumName(16, b"FATAL", 21),
]


cdef void transcoder_free(Transcoder* t) noexcept nogil:
    buffer_free(&t.out)
    buffer_free(&t.text)
    buffer_free(&t.key)
    buffer_free(&t.origins)


cdef inline int row_fail(Transcoder* t, const char* reason) noexcept nogil:
    t.j.reason = reason
    return TS_ROW


# --- protobuf out -------------------------------------------------------------------------------------


cdef int put_varint(Buffer* out, uint64_t value) noexcept nogil:
    while value >= 0x80:
        if buffer_u8(out, <uint8_t>(value | 0x80)) != 0:
            return TS_NO_MEMORY
        value >>= 7
    return buffer_u8(out, <uint8_t>value)


cdef int put_tag(Buffer* out, uint32_t number, int type) noexcept nogil:
    return put_varint(out, (<uint64_t>number << 3) | <uint64_t>type)


cdef int put_bytes(Buffer* out, uint32_t number, const uint8_t* p, size_t size) noexcept nogil:
    if put_tag(out, number, 2) != 0 or put_varint(out, size) != 0:
        return TS_NO_MEMORY
    return buffer_bytes(out, p, size)


cdef int message_begin(Buffer* out, uint32_t number, size_t* start) noexcept nogil:
    if put_tag(out, number, 2) != 0 or buffer_reserve(out, LENGTH_BYTES) != 0:
        return TS_NO_MEMORY
    out.size += LENGTH_BYTES
    start[0] = out.size
    return TS_OK


cdef void message_end(Buffer* out, size_t start) noexcept nogil:
    cdef uint64_t size = out.size - start
    cdef int i
    for i in range(LENGTH_BYTES):
        out.data[start - LENGTH_BYTES + i] = <uint8_t>((size & 0x7F) | (0x80 if i < LENGTH_BYTES - 1 else 0))
        size >>= 7


# --- scalars in -----------------------------------------------------------------------------------------


cdef int read_number(Transcoder* t, int64_t* i64, double* f64, bint* big, NumberKind* kind) noexcept nogil:
    # A number, or text that spells one. *big: an integer past int64, in *i64 as unsigned where it fits 64 bits.
    cdef const uint8_t* start = t.j.p
    cdef const uint8_t* end = t.j.end
    cdef const uint8_t* next
    cdef Text text
    cdef int status
    cdef uint64_t word = 0
    cdef uint8_t digit
    if start < end and start[0] == c'"':
        status = json_string(&t.j, &t.text, &text)
        if status != TS_OK:
            return status
        start = text.p
        end = text.p + text.size
        kind[0] = number_read(start, end, &next, i64, f64)
        if kind[0] == NUMBER_BAD or next != end:
            return row_fail(t, b"text in a number's place does not spell a number")
    else:
        kind[0] = number_read(start, end, &next, i64, f64)
        if kind[0] == NUMBER_BAD:
            if start < end and (start[0] == c't' or start[0] == c'f' or start[0] == c'{' or start[0] == c'['):
                return row_fail(t, b"a number is expected")
            return json_bad_number(&t.j)
        t.j.p = next
    big[0] = 0
    if kind[0] == NUMBER_TEXT:
        f64[0] = number_round(start, next)
        if next - start <= 20:
            big[0] = 1
            while start < next:
                digit = <uint8_t>(start[0] - c'0')
                if digit > 9 or word > (UINT64_MAX - digit) // 10:
                    big[0] = 0
                    break
                word = word * 10 + digit
                start += 1
            i64[0] = <int64_t>word
    elif kind[0] == NUMBER_I64:
        f64[0] = <double>i64[0]
    return TS_OK


cdef int read_integer(Transcoder* t, bint is_unsigned, uint64_t* out) noexcept nogil:
    cdef int64_t i64 = 0
    cdef double f64 = 0
    cdef bint big
    cdef NumberKind kind
    cdef int status = read_number(t, &i64, &f64, &big, &kind)
    if status != TS_OK:
        return status
    if kind == NUMBER_F64:
        if not (-9.2e18 < f64 < 9.2e18) or f64 != <double><int64_t>f64:
            return row_fail(t, b"a whole number is expected")
        i64 = <int64_t>f64
    elif kind == NUMBER_TEXT and not (big and is_unsigned):
        return row_fail(t, b"a whole number of 64 bits is expected")
    if is_unsigned and i64 < 0 and not big:
        return row_fail(t, b"a number that is not negative is expected")
    out[0] = <uint64_t>i64
    return TS_OK


cdef int read_double(Transcoder* t, uint64_t* bits) noexcept nogil:
    cdef int64_t i64
    cdef double f64 = 0
    cdef bint big
    cdef NumberKind kind
    cdef const uint8_t* p = t.j.p
    cdef size_t left = t.j.end - t.j.p
    cdef int status
    if left >= 5 and memcmp(p, b'"NaN"', 5) == 0:
        t.j.p += 5
        bits[0] = <uint64_t>0x7FF8000000000000
        return TS_OK
    if left >= 10 and memcmp(p, b'"Infinity"', 10) == 0:
        t.j.p += 10
        bits[0] = <uint64_t>0x7FF0000000000000
        return TS_OK
    if left >= 11 and memcmp(p, b'"-Infinity"', 11) == 0:
        t.j.p += 11
        bits[0] = <uint64_t>0xFFF0000000000000
        return TS_OK
    status = read_number(t, &i64, &f64, &big, &kind)
    memcpy(bits, &f64, 8)
    return status


cdef int read_string(Transcoder* t, Text* out) noexcept nogil:
    if t.j.p >= t.j.end:
        return json_fail(&t.j, b"unexpected end; want a value")
    if t.j.p[0] != c'"':
        return row_fail(t, b"text is expected")
    return json_string(&t.j, &t.text, out)


cdef int put_hex(Transcoder* t, uint32_t number) noexcept nogil:
    cdef Text text
    cdef size_t i
    cdef int status = read_string(t, &text)
    if status != TS_OK:
        return status
    if text.size % 2:
        return row_fail(t, b"an id must be hex of an even length")
    for i in range(text.size):
        if hex_value(text.p[i]) < 0:
            return row_fail(t, b"an id must be hex")
    if put_tag(&t.out, number, 2) != 0 or put_varint(&t.out, text.size // 2) != 0:
        return TS_NO_MEMORY
    for i in range(text.size // 2):
        if buffer_u8(&t.out, <uint8_t>(hex_value(text.p[2 * i]) * 16 + hex_value(text.p[2 * i + 1]))) != 0:
            return TS_NO_MEMORY
    return TS_OK


cdef int put_base64(Transcoder* t, uint32_t number) noexcept nogil:
    cdef Text text
    cdef size_t start
    cdef int status = read_string(t, &text)
    if status == TS_OK:
        status = message_begin(&t.out, number, &start)
    if status != TS_OK:
        return status
    status = read_base64(&t.out, text.p, text.size)
    if status == 1:
        return row_fail(t, b"bytes must be base64")
    message_end(&t.out, start)
    return status


cdef int put_bool(Transcoder* t, uint32_t number) noexcept nogil:
    cdef bint value
    cdef int status
    if t.j.p < t.j.end and t.j.p[0] != c't' and t.j.p[0] != c'f':
        return row_fail(t, b"true or false is expected")
    value = t.j.p < t.j.end and t.j.p[0] == c't'
    status = json_literal(&t.j, b"true", 4) if value else json_literal(&t.j, b"false", 5)
    if status != TS_OK:
        return status
    return put_tag(&t.out, number, 0) | buffer_u8(&t.out, value)


cdef inline bint begins(const Text* text, const char* prefix, size_t size) noexcept nogil:
    return text.size >= size and memcmp(text.p, prefix, size) == 0


cdef int read_enum_name(Transcoder* t, uint64_t* out) noexcept nogil:
    cdef Text text
    cdef size_t prefix, size
    cdef int i
    cdef uint64_t step = 0
    cdef int status = json_string(&t.j, &t.text, &text)
    if status != TS_OK:
        return status
    if begins(&text, b"SPAN_KIND_", 10):
        prefix = 10
    elif begins(&text, b"STATUS_CODE_", 12):
        prefix = 12
    elif begins(&text, b"SEVERITY_NUMBER_", 16):
        prefix = 16
        # INFO, INFO2, INFO3, INFO4: four steps of each severity.
        if c'2' <= text.p[text.size - 1] <= c'4':
            step = text.p[text.size - 1] - c'1'
            text.size -= 1
    else:
        return row_fail(t, b"unknown name of an enum")
    for i in range(ENUM_NAMES):
        size = strlen(ENUMS[i].name)
        if ENUMS[i].prefix != prefix or text.size - prefix != size:
            continue
        if memcmp(text.p + prefix, ENUMS[i].name, size) == 0:
            out[0] = ENUMS[i].number + step
            return TS_OK
    return row_fail(t, b"unknown name of an enum")


cdef int put_word(Transcoder* t, uint32_t number, FieldKind kind) noexcept nogil:
    cdef uint64_t word = 0
    cdef uint32_t half
    cdef int status
    if kind == AS_DOUBLE:
        status = read_double(t, &word)
    elif kind == AS_ENUM and t.j.p < t.j.end and t.j.p[0] == c'"':
        status = read_enum_name(t, &word)
    else:
        status = read_integer(t, kind == AS_FIXED64 or kind == AS_FIXED32 or kind == AS_UINT32, &word)
    if status != TS_OK:
        return status
    if (kind == AS_UINT32 or kind == AS_FIXED32) and word >> 32:
        return row_fail(t, b"a number of 32 bits is expected")
    if kind == AS_FIXED64 or kind == AS_DOUBLE:
        return put_tag(&t.out, number, 1) | buffer_u64(&t.out, word)
    if kind == AS_FIXED32:
        half = <uint32_t>word
        return put_tag(&t.out, number, 5) | buffer_bytes(&t.out, &half, 4)
    return put_tag(&t.out, number, 0) | put_varint(&t.out, word)


# --- plain JSON as AnyValue -----------------------------------------------------------------------------


cdef int plain_members(Transcoder* t, uint32_t number) noexcept nogil:
    # A plain object's members as KeyValues under a field.
    cdef Text key
    cdef size_t start, value
    cdef bint more = 1
    cdef int status = json_open(&t.j)
    if status != TS_OK:
        return status
    if t.j.p < t.j.end and t.j.p[0] == c'}':
        t.j.p += 1
        more = 0
    while more:
        status = json_key(&t.j, &t.key, &key)
        if status == TS_OK:
            status = message_begin(&t.out, number, &start)
        if status == TS_OK:
            status = put_bytes(&t.out, 1, key.p, key.size)
        if status == TS_OK:
            status = message_begin(&t.out, 2, &value)
        if status == TS_OK:
            status = plain_any(t)
        if status != TS_OK:
            return status
        message_end(&t.out, value)
        message_end(&t.out, start)
        status = json_separator(&t.j, c'}', &more)
        if status != TS_OK:
            return status
    t.j.depth -= 1
    return TS_OK


cdef int plain_items(Transcoder* t) noexcept nogil:
    cdef size_t start
    cdef bint more = 1
    cdef int status = json_open(&t.j)
    if status != TS_OK:
        return status
    if t.j.p < t.j.end and t.j.p[0] == c']':
        t.j.p += 1
        more = 0
    while more:
        status = message_begin(&t.out, 1, &start)
        if status == TS_OK:
            status = plain_any(t)
        if status != TS_OK:
            return status
        message_end(&t.out, start)
        status = json_separator(&t.j, c']', &more)
        if status != TS_OK:
            return status
    t.j.depth -= 1
    return TS_OK


cdef int plain_number(Transcoder* t) noexcept nogil:
    cdef const uint8_t* start = t.j.p
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64
    cdef uint64_t bits
    cdef NumberKind kind = number_read(start, t.j.end, &next, &i64, &f64)
    if kind == NUMBER_BAD:
        return json_bad_number(&t.j)
    t.j.p = next
    if kind == NUMBER_I64:
        return put_tag(&t.out, 3, 0) | put_varint(&t.out, <uint64_t>i64)
    if kind == NUMBER_TEXT:
        # No AnyValue holds it as a number; its digits are kept as text.
        return put_bytes(&t.out, 1, start, next - start)
    memcpy(&bits, &f64, 8)
    return put_tag(&t.out, 4, 1) | buffer_u64(&t.out, bits)


cdef int plain_any(Transcoder* t) noexcept nogil:
    # The inside of an AnyValue for whatever JSON stands at the cursor.
    cdef Text text
    cdef size_t start
    cdef uint8_t c
    cdef int status
    if t.j.p >= t.j.end:
        return json_fail(&t.j, b"unexpected end; want a value")
    c = t.j.p[0]
    if c == c'"':
        status = json_string(&t.j, &t.text, &text)
        if status != TS_OK:
            return status
        return put_bytes(&t.out, 1, text.p, text.size)
    if c == c't' or c == c'f':
        return put_bool(t, 2)
    if c == c'n':
        return json_literal(&t.j, b"null", 4)
    if c != c'{' and c != c'[':
        return plain_number(t)
    status = message_begin(&t.out, 6 if c == c'{' else 5, &start)
    if status == TS_OK:
        status = plain_members(t, 1) if c == c'{' else plain_items(t)
    if status == TS_OK:
        message_end(&t.out, start)
    return status


# --- messages -------------------------------------------------------------------------------------------


cdef int put_message(Transcoder* t, uint32_t number, Message message) noexcept nogil:
    cdef size_t start
    cdef int status = message_begin(&t.out, number, &start)
    if status == TS_OK:
        status = transcode_message(t, message)
    if status == TS_OK:
        message_end(&t.out, start)
    return status


cdef int put_row(Transcoder* t, uint32_t number, Message message) noexcept nogil:
    # A span or log record. One with a wrong value is read over again, checked only, and left out.
    cdef const uint8_t* start = t.j.p
    cdef size_t size = t.out.size
    cdef int depth = t.j.depth
    cdef RowOrigin origin
    cdef const char* reason
    cdef uint64_t offset
    cdef int status = put_message(t, number, message)
    origin.row = t.ordinal
    origin.offset = start - t.base
    if status == TS_OK:
        t.ordinal += 1
        return buffer_bytes(&t.origins, &origin, sizeof(RowOrigin))
    if status != TS_ROW:
        return status
    reason = t.j.reason
    offset = t.j.p - t.base
    t.out.size = size
    t.j.p = start
    t.j.depth = depth
    status = json_skip_value(&t.j)
    if status != TS_OK:
        return status
    t.ordinal += 1
    return reject(&t.refused, origin.row, offset, reason)


cdef int put_list(Transcoder* t, const Field* f) noexcept nogil:
    cdef bint more = 1
    cdef int status
    if t.j.p >= t.j.end:
        return json_fail(&t.j, b"unexpected end; want a value")
    if f.kind == AS_ATTRIBUTES and t.j.p[0] == c'{':
        return plain_members(t, f.number)
    if t.j.p[0] != c'[':
        return row_fail(t, b"an array is expected")
    status = json_open(&t.j)
    if status != TS_OK:
        return status
    if t.j.p < t.j.end and t.j.p[0] == c']':
        t.j.p += 1
        more = 0
    while more:
        if f.kind == AS_ROWS:
            status = put_row(t, f.number, f.message)
        else:
            status = put_message(t, f.number, f.message)
        if status == TS_OK:
            status = json_separator(&t.j, c']', &more)
        if status != TS_OK:
            return status
    t.j.depth -= 1
    return TS_OK


cdef int put_field(Transcoder* t, const Field* f) noexcept nogil:
    cdef Text text
    cdef int status
    if t.j.p < t.j.end and t.j.p[0] == c'n':
        return json_literal(&t.j, b"null", 4)
    if f.kind == AS_MESSAGE:
        return put_message(t, f.number, f.message)
    if f.kind == AS_MESSAGES or f.kind == AS_ROWS or f.kind == AS_ATTRIBUTES:
        return put_list(t, f)
    if f.kind == AS_STRING:
        status = read_string(t, &text)
        if status != TS_OK:
            return status
        return put_bytes(&t.out, f.number, text.p, text.size)
    if f.kind == AS_HEX:
        return put_hex(t, f.number)
    if f.kind == AS_BASE64:
        return put_base64(t, f.number)
    if f.kind == AS_BOOL:
        return put_bool(t, f.number)
    return put_word(t, f.number, f.kind)


cdef const Field* find_field(Message message, const Text* key) noexcept nogil:
    cdef int i
    for i in range(FIRST[<int>message], LAST[<int>message]):
        if strlen(TABLE[i].name) == key.size and memcmp(TABLE[i].name, key.p, key.size) == 0:
            return &TABLE[i]
    return NULL


cdef int transcode_message(Transcoder* t, Message message) noexcept nogil:
    # The object at the cursor as the inside of a message.
    cdef const Field* f
    cdef Text key
    cdef bint more = 1
    cdef int status
    if t.j.p >= t.j.end:
        return json_fail(&t.j, b"unexpected end; want a value")
    if t.j.p[0] != c'{':
        return row_fail(t, b"an object is expected")
    status = json_open(&t.j)
    if status != TS_OK:
        return status
    if t.j.p < t.j.end and t.j.p[0] == c'}':
        t.j.p += 1
        more = 0
    while more:
        status = json_key(&t.j, &t.key, &key)
        if status != TS_OK:
            return status
        f = find_field(message, &key)
        status = json_skip_value(&t.j) if f == NULL else put_field(t, f)
        if status == TS_OK:
            status = json_separator(&t.j, c'}', &more)
        if status != TS_OK:
            return status
    t.j.depth -= 1
    return TS_OK


cdef int transcode_request(Transcoder* t, bint logs) noexcept nogil:
    cdef int status
    json_space(&t.j)
    status = transcode_message(t, LOG_REQUEST if logs else TRACE_REQUEST)
    if status != TS_OK:
        return status
    json_space(&t.j)
    if t.j.p < t.j.end:
        return json_fail(&t.j, b"unexpected bytes after the request")
    return TS_OK
