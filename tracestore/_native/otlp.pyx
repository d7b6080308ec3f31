"""OTLP requests into a builder: spans or log records, with what their resource and scope say.

A request is read in place. A resource's and a scope's attributes are shredded once and stand for all rows
below them. A span that is broken inside is refused alone; a broken frame around spans refuses the request and
leaves the builder as it was. Linear in the request, but for messages in several parts, which are bounded.
"""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset, strlen

from tracestore._native.buffer cimport Buffer, buffer_u8
from tracestore._native.builder cimport (
    LEAF_JSON_LIST,
    NONE,
    Builder,
    State,
    leaf_of,
    list_commit,
    list_cut,
    list_items,
    list_text_item,
    node_enter,
    node_leave,
    push_bytes,
    push_i64,
    row_abort,
    row_begin,
    rows_truncate,
)
from tracestore._native.json_reader cimport Text
from tracestore._native.number cimport write_i64
from tracestore._native.otlp_json cimport RowOrigin, Transcoder, transcode_request, transcoder_free
from tracestore._native.otlp_value cimport (
    ANY_STRING,
    AnyValue,
    ValueReader,
    join_parts,
    read_any,
    read_key_value,
    read_text,
    reader_free,
    shred_any,
    shred_attribute,
    write_attribute,
)
from tracestore._native.protobuf cimport (
    WIRE_BYTES,
    WIRE_FIXED32,
    WIRE_FIXED64,
    WIRE_VARINT,
    Wire,
    wire_bytes,
    wire_fixed32,
    wire_fixed64,
    wire_skip,
    wire_tag,
    wire_varint,
)
from tracestore._native.rejections cimport MAX_REPORTED_REJECTIONS, Rejections, reject, rejections_take
from tracestore._native.routing cimport Routing, same_text, text_of
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK, TS_ROW
from tracestore._native.tables cimport (
    LOG_DROPPED_ATTRIBUTES,
    LOG_EVENT_NAME,
    LOG_FLAGS,
    LOG_NODE_BODY,
    LOG_OBSERVED_TIME_NS,
    LOG_RESOURCE_DROPPED,
    LOG_RESOURCE_SCHEMA_URL,
    LOG_SCOPE_NAME,
    LOG_SERVICE,
    LOG_SEVERITY_NUMBER,
    LOG_SEVERITY_TEXT,
    LOG_SPAN_ID,
    LOG_TIME_NS,
    LOG_TRACE_ID,
    NODE_ATTRIBUTES,
    NODE_RESOURCE,
    NODE_SCOPE,
    SPAN_DROPPED_ATTRIBUTES,
    SPAN_DROPPED_EVENTS,
    SPAN_DROPPED_LINKS,
    SPAN_DURATION_NS,
    SPAN_EXPERIMENT,
    SPAN_FLAGS,
    SPAN_KIND,
    SPAN_NAME,
    SPAN_NODE_EVENTS,
    SPAN_NODE_LINKS,
    SPAN_PARENT_SPAN_ID,
    SPAN_PROJECT,
    SPAN_RESOURCE_DROPPED,
    SPAN_RESOURCE_SCHEMA_URL,
    SPAN_SCOPE_NAME,
    SPAN_SERVICE,
    SPAN_SPAN_ID,
    SPAN_START_NS,
    SPAN_STATUS_CODE,
    SPAN_STATUS_MESSAGE,
    SPAN_TRACE_ID,
    SPAN_TRACE_STATE,
)
from tracestore._native.text cimport hex_digit, utf8_first_bad, write_hex, write_json_string

from tracestore.errors import PayloadError

cdef enum:
    TRACE_ID_BYTES = 16
    SPAN_ID_BYTES = 8
    # Bytes that messages in several parts may copy, beside the size of the request.
    JOINED_BYTES = 1_048_576

cdef const char** KIND_NAMES = [b"UNSPECIFIED", b"INTERNAL", b"SERVER", b"CLIENT", b"PRODUCER", b"CONSUMER"]
cdef const char** STATUS_NAMES = [b"UNSET", b"OK", b"ERROR"]


cdef struct Request:
    ValueReader v
    Routing routing
    Rejections refused
    const uint8_t* base
    const uint8_t* end
    # Rows met so far, refused and skipped ones included.
    uint64_t ordinal
    bint logs
    # Columns that stand for every row of a resource or scope, by table.
    int service
    int scope_name
    int resource_schema_url
    int resource_dropped


cdef struct Span:
    Wire trace_id
    Wire span_id
    Wire parent
    Wire name
    Wire trace_state
    Wire status_message
    uint64_t kind
    uint64_t status_code
    uint64_t start_ns
    uint64_t end_ns
    uint32_t flags
    uint64_t dropped_attributes
    uint64_t dropped_events
    uint64_t dropped_links
    # List leaves under way, NONE before the first item.
    uint32_t events
    uint32_t events_mark
    uint32_t links
    uint32_t links_mark


cdef struct LogRecord:
    Wire trace_id
    Wire span_id
    Wire severity_text
    Wire event_name
    Wire body
    bint has_body
    uint64_t time_ns
    uint64_t observed_ns
    uint64_t severity
    uint64_t dropped_attributes
    uint32_t flags


cdef inline int row_fail(Request* r, const Wire* w, const char* reason) noexcept nogil:
    r.v.error.at = w.p
    r.v.error.reason = reason
    return TS_ROW


cdef inline size_t size_of(const Wire* w) noexcept nogil:
    return w.end - w.p


cdef inline bint all_zero(const Wire* w) noexcept nogil:
    cdef size_t i
    for i in range(size_of(w)):
        if w.p[i]:
            return 0
    return 1


# --- columns ----------------------------------------------------------------------------------------


cdef int push_text(Request* r, int column, const Wire* w, bint always) noexcept nogil:
    # A proto string; the empty one is null unless `always`.
    cdef Text text
    cdef int status
    if w.p == w.end and not always:
        return TS_OK
    status = read_text(&r.v, w, &text)
    if status != TS_OK:
        return status
    return push_bytes(r.v.s, column, text.p, text.size)


cdef int push_id(Request* r, int column, const Wire* w) noexcept nogil:
    cdef uint8_t hex[32]
    cdef size_t i
    for i in range(size_of(w)):
        hex[2 * i] = hex_digit(w.p[i] >> 4)
        hex[2 * i + 1] = hex_digit(w.p[i] & 15)
    return push_bytes(r.v.s, column, hex, 2 * size_of(w))


cdef int push_word(Request* r, int column, uint64_t value) noexcept nogil:
    return push_i64(r.v.s, column, <int64_t>value)


cdef int push_name(Request* r, int column, uint64_t value, const char** names, uint64_t known) noexcept nogil:
    # An enum's name; a number of a later specification keeps its digits.
    cdef Buffer* text = &r.v.json
    if value < known:
        return push_bytes(r.v.s, column, names[value], strlen(names[value]))
    text.size = 0
    if write_i64(text, <int64_t>value) != 0:
        return TS_NO_MEMORY
    return push_bytes(r.v.s, column, text.data, text.size)


# --- events and links -------------------------------------------------------------------------------


cdef int write_label(Buffer* out, const char* label, size_t size) noexcept nogil:
    # `,"label":`, the comma only behind an earlier member.
    if out.data[out.size - 1] != c'{' and buffer_u8(out, c',') != 0:
        return TS_NO_MEMORY
    return write_json_string(out, <const uint8_t*>label, size) | buffer_u8(out, c':')


cdef int write_word(Buffer* out, const char* label, size_t size, uint64_t value) noexcept nogil:
    cdef int status = write_label(out, label, size)
    if value > <uint64_t>INT64_MAX:
        # Past what an int64 prints: all digits but the last, then the last.
        status |= write_i64(out, <int64_t>(value // 10)) | buffer_u8(out, <uint8_t>(48 + value % 10))
    else:
        status |= write_i64(out, <int64_t>value)
    return TS_NO_MEMORY if status else TS_OK


cdef int write_id(Buffer* out, const char* label, size_t size, const Wire* id) noexcept nogil:
    cdef int status = write_label(out, label, size) | buffer_u8(out, c'"')
    status |= write_hex(out, id.p, size_of(id)) | buffer_u8(out, c'"')
    return TS_NO_MEMORY if status else TS_OK


cdef int write_string(Request* r, Buffer* out, const char* label, size_t size, const Wire* w) noexcept nogil:
    cdef Text text
    cdef int status = read_text(&r.v, w, &text)
    if status != TS_OK:
        return status
    if write_label(out, label, size) != 0 or write_json_string(out, text.p, text.size) != 0:
        return TS_NO_MEMORY
    return TS_OK


cdef int write_attributes(Request* r, Wire w, uint32_t attributes_field, Buffer* out) noexcept nogil:
    # `"attributes":{...}` of an event or link: every KeyValue under the field, in order.
    cdef Wire attribute
    cdef uint32_t field
    cdef bint first = 1
    cdef int type, status
    if write_label(out, b"attributes", 10) != 0 or buffer_u8(out, c'{') != 0:
        return TS_NO_MEMORY
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == attributes_field and type == WIRE_BYTES:
            status = wire_bytes(&w, &attribute, &r.v.error)
            if status == TS_OK:
                status = write_attribute(&r.v, attribute, first, out)
            first = 0
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return buffer_u8(out, c'}')


cdef int write_event(Request* r, Wire event, Buffer* out) noexcept nogil:
    cdef Wire w = event
    cdef Wire name
    cdef uint64_t time_ns = 0
    cdef uint64_t dropped = 0
    cdef uint32_t field
    cdef int type, status
    name.p = w.end
    name.end = w.end
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 1 and type == WIRE_FIXED64:
            status = wire_fixed64(&w, &time_ns, &r.v.error)
        elif field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &name, &r.v.error)
        elif field == 4 and type == WIRE_VARINT:
            status = wire_varint(&w, &dropped, &r.v.error)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    out.size = 0
    if buffer_u8(out, c'{') != 0:
        return TS_NO_MEMORY
    status = write_string(r, out, b"name", 4, &name)
    if status == TS_OK:
        status = write_word(out, b"time_ns", 7, time_ns)
    if status == TS_OK:
        status = write_attributes(r, event, 3, out)
    if status == TS_OK and <uint32_t>dropped:
        status = write_word(out, b"dropped_attributes_count", 24, <uint32_t>dropped)
    if status != TS_OK:
        return status
    return buffer_u8(out, c'}')


cdef int write_link(Request* r, Wire link, Buffer* out) noexcept nogil:
    cdef Wire w = link
    cdef Wire trace_id, span_id, trace_state
    cdef uint64_t dropped = 0
    cdef uint32_t flags = 0
    cdef uint32_t field
    cdef int type, status
    trace_id.p = trace_id.end = w.end
    span_id.p = span_id.end = w.end
    trace_state.p = trace_state.end = w.end
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 1 and type == WIRE_BYTES:
            status = wire_bytes(&w, &trace_id, &r.v.error)
        elif field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &span_id, &r.v.error)
        elif field == 3 and type == WIRE_BYTES:
            status = wire_bytes(&w, &trace_state, &r.v.error)
        elif field == 5 and type == WIRE_VARINT:
            status = wire_varint(&w, &dropped, &r.v.error)
        elif field == 6 and type == WIRE_FIXED32:
            status = wire_fixed32(&w, &flags, &r.v.error)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    out.size = 0
    if buffer_u8(out, c'{') != 0:
        return TS_NO_MEMORY
    status = write_id(out, b"trace_id", 8, &trace_id)
    if status == TS_OK:
        status = write_id(out, b"span_id", 7, &span_id)
    if status == TS_OK and trace_state.p < trace_state.end:
        status = write_string(r, out, b"trace_state", 11, &trace_state)
    if status == TS_OK:
        status = write_attributes(r, link, 4, out)
    if status == TS_OK and flags:
        status = write_word(out, b"flags", 5, flags)
    if status == TS_OK and <uint32_t>dropped:
        status = write_word(out, b"dropped_attributes_count", 24, <uint32_t>dropped)
    if status != TS_OK:
        return status
    return buffer_u8(out, c'}')


cdef int add_item(Request* r, Wire message, bint link, uint32_t* leaf, uint32_t* mark) noexcept nogil:
    # One event or link as an item of its json[] leaf.
    cdef State* s = r.v.s
    cdef int status
    if leaf[0] == NONE:
        status = leaf_of(s, SPAN_NODE_LINKS if link else SPAN_NODE_EVENTS, LEAF_JSON_LIST, leaf)
        if status != TS_OK:
            return status
        mark[0] = list_items(&s.leaves[leaf[0]])
    r.v.depth = 0
    status = write_link(r, message, &r.v.json) if link else write_event(r, message, &r.v.json)
    if status != TS_OK:
        return status
    return list_text_item(s, leaf[0], r.v.json.data, r.v.json.size)


# --- spans ------------------------------------------------------------------------------------------


cdef int read_status(Request* r, Wire w, Span* span) noexcept nogil:
    cdef uint32_t field
    cdef int type, status
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &span.status_message, &r.v.error)
        elif field == 3 and type == WIRE_VARINT:
            status = wire_varint(&w, &span.status_code, &r.v.error)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int read_span_field(
    Request* r, Wire* w, uint32_t field, int type, Span* span, uint32_t* before
) noexcept nogil:
    cdef Wire message
    cdef int status
    if type == WIRE_BYTES:
        status = wire_bytes(w, &message, &r.v.error)
        if status != TS_OK:
            return status
        if field == 9:
            r.v.depth = 0
            return shred_attribute(&r.v, message, NODE_ATTRIBUTES, before)
        if field == 1:
            span.trace_id = message
        elif field == 2:
            span.span_id = message
        elif field == 3:
            span.trace_state = message
        elif field == 4:
            span.parent = message
        elif field == 5:
            span.name = message
        elif field == 11:
            return add_item(r, message, False, &span.events, &span.events_mark)
        elif field == 13:
            return add_item(r, message, True, &span.links, &span.links_mark)
        elif field == 15:
            return read_status(r, message, span)
        return TS_OK
    if type == WIRE_VARINT:
        if field == 6:
            return wire_varint(w, &span.kind, &r.v.error)
        if field == 10:
            return wire_varint(w, &span.dropped_attributes, &r.v.error)
        if field == 12:
            return wire_varint(w, &span.dropped_events, &r.v.error)
        if field == 14:
            return wire_varint(w, &span.dropped_links, &r.v.error)
    elif type == WIRE_FIXED64:
        if field == 7:
            return wire_fixed64(w, &span.start_ns, &r.v.error)
        if field == 8:
            return wire_fixed64(w, &span.end_ns, &r.v.error)
    elif type == WIRE_FIXED32 and field == 16:
        return wire_fixed32(w, &span.flags, &r.v.error)
    return wire_skip(w, field, type, &r.v.error)


cdef int check_span(Request* r, const Wire* whole, Span* span) noexcept nogil:
    if size_of(&span.trace_id) != TRACE_ID_BYTES or all_zero(&span.trace_id):
        return row_fail(r, whole, b"trace_id is not 16 bytes, or all of them are zero")
    if size_of(&span.span_id) != SPAN_ID_BYTES or all_zero(&span.span_id):
        return row_fail(r, whole, b"span_id is not 8 bytes, or all of them are zero")
    if size_of(&span.parent) and all_zero(&span.parent):
        span.parent.p = span.parent.end
    if size_of(&span.parent) != 0 and size_of(&span.parent) != SPAN_ID_BYTES:
        return row_fail(r, whole, b"parent_span_id is not 8 bytes")
    if span.start_ns > <uint64_t>INT64_MAX or span.end_ns > <uint64_t>INT64_MAX:
        return row_fail(r, whole, b"a time is after the year 2262")
    return TS_OK


cdef int push_span(Request* r, Span* span) noexcept nogil:
    cdef int status = push_id(r, SPAN_TRACE_ID, &span.trace_id)
    if status == TS_OK:
        status = push_id(r, SPAN_SPAN_ID, &span.span_id)
    if status == TS_OK and span.parent.p < span.parent.end:
        status = push_id(r, SPAN_PARENT_SPAN_ID, &span.parent)
    if status == TS_OK:
        status = push_text(r, SPAN_NAME, &span.name, True)
    if status == TS_OK:
        status = push_name(r, SPAN_KIND, span.kind, KIND_NAMES, 6)
    if status == TS_OK:
        status = push_word(r, SPAN_START_NS, span.start_ns)
    if status == TS_OK and span.end_ns:
        status = push_word(r, SPAN_DURATION_NS, span.end_ns - span.start_ns)
    if status == TS_OK:
        status = push_name(r, SPAN_STATUS_CODE, span.status_code, STATUS_NAMES, 3)
    if status == TS_OK:
        status = push_text(r, SPAN_STATUS_MESSAGE, &span.status_message, False)
    if status == TS_OK:
        status = push_text(r, SPAN_TRACE_STATE, &span.trace_state, False)
    if status == TS_OK:
        status = push_word(r, SPAN_FLAGS, span.flags)
    if status == TS_OK:
        status = push_word(r, SPAN_DROPPED_ATTRIBUTES, <uint32_t>span.dropped_attributes)
    if status == TS_OK:
        status = push_word(r, SPAN_DROPPED_EVENTS, <uint32_t>span.dropped_events)
    if status == TS_OK:
        status = push_word(r, SPAN_DROPPED_LINKS, <uint32_t>span.dropped_links)
    if status == TS_OK and span.events != NONE:
        status = list_commit(r.v.s, span.events)
    if status == TS_OK:
        # From here on row_abort takes the events back.
        span.events = NONE
        if span.links != NONE:
            status = list_commit(r.v.s, span.links)
    if status == TS_OK:
        span.links = NONE
    return status


cdef int read_span(Request* r, Wire w) noexcept nogil:
    cdef State* s = r.v.s
    cdef Wire whole = w
    cdef Span span
    cdef uint32_t before = NONE
    cdef uint32_t field
    cdef int type
    cdef int status = TS_OK
    memset(&span, 0, sizeof(Span))
    span.events = NONE
    span.links = NONE
    node_enter(s, NODE_ATTRIBUTES)
    while w.p < w.end and status == TS_OK:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status == TS_OK:
            status = read_span_field(r, &w, field, type, &span, &before)
    node_leave(s, NODE_ATTRIBUTES)
    if status == TS_OK:
        status = check_span(r, &whole, &span)
    if status == TS_OK:
        status = push_span(r, &span)
    if status != TS_OK:
        if span.events != NONE:
            list_cut(&s.leaves[span.events], span.events_mark)
        if span.links != NONE:
            list_cut(&s.leaves[span.links], span.links_mark)
    return status


# --- log records ------------------------------------------------------------------------------------


cdef int read_log_field(
    Request* r, Wire* w, uint32_t field, int type, LogRecord* log, uint32_t* before
) noexcept nogil:
    cdef Wire message
    cdef int status
    if type == WIRE_BYTES:
        status = wire_bytes(w, &message, &r.v.error)
        if status != TS_OK:
            return status
        if field == 6:
            r.v.depth = 0
            return shred_attribute(&r.v, message, NODE_ATTRIBUTES, before)
        if field == 3:
            log.severity_text = message
        elif field == 5:
            if log.has_body:
                return join_parts(&r.v, &log.body, &message)
            log.body = message
            log.has_body = 1
        elif field == 9:
            log.trace_id = message
        elif field == 10:
            log.span_id = message
        elif field == 12:
            log.event_name = message
        return TS_OK
    if type == WIRE_VARINT:
        if field == 2:
            return wire_varint(w, &log.severity, &r.v.error)
        if field == 7:
            return wire_varint(w, &log.dropped_attributes, &r.v.error)
    elif type == WIRE_FIXED64:
        if field == 1:
            return wire_fixed64(w, &log.time_ns, &r.v.error)
        if field == 11:
            return wire_fixed64(w, &log.observed_ns, &r.v.error)
    elif type == WIRE_FIXED32 and field == 8:
        return wire_fixed32(w, &log.flags, &r.v.error)
    return wire_skip(w, field, type, &r.v.error)


cdef int check_log(Request* r, const Wire* whole, LogRecord* log) noexcept nogil:
    if all_zero(&log.trace_id):
        log.trace_id.p = log.trace_id.end
    if all_zero(&log.span_id):
        log.span_id.p = log.span_id.end
    if size_of(&log.trace_id) != 0 and size_of(&log.trace_id) != TRACE_ID_BYTES:
        return row_fail(r, whole, b"trace_id is not 16 bytes")
    if size_of(&log.span_id) != 0 and size_of(&log.span_id) != SPAN_ID_BYTES:
        return row_fail(r, whole, b"span_id is not 8 bytes")
    if log.time_ns > <uint64_t>INT64_MAX or log.observed_ns > <uint64_t>INT64_MAX:
        return row_fail(r, whole, b"a time is after the year 2262")
    return TS_OK


cdef int push_log(Request* r, LogRecord* log) noexcept nogil:
    cdef State* s = r.v.s
    cdef int status = TS_OK
    if log.has_body:
        r.v.depth = 0
        node_enter(s, LOG_NODE_BODY)
        status = shred_any(&r.v, log.body, LOG_NODE_BODY)
        node_leave(s, LOG_NODE_BODY)
    if status == TS_OK and log.trace_id.p < log.trace_id.end:
        status = push_id(r, LOG_TRACE_ID, &log.trace_id)
    if status == TS_OK and log.span_id.p < log.span_id.end:
        status = push_id(r, LOG_SPAN_ID, &log.span_id)
    if status == TS_OK:
        status = push_word(r, LOG_TIME_NS, log.time_ns if log.time_ns else log.observed_ns)
    if status == TS_OK:
        status = push_word(r, LOG_OBSERVED_TIME_NS, log.observed_ns)
    if status == TS_OK:
        status = push_i64(s, LOG_SEVERITY_NUMBER, <int64_t>log.severity)
    if status == TS_OK:
        status = push_text(r, LOG_SEVERITY_TEXT, &log.severity_text, False)
    if status == TS_OK:
        status = push_text(r, LOG_EVENT_NAME, &log.event_name, False)
    if status == TS_OK:
        status = push_word(r, LOG_FLAGS, log.flags)
    if status == TS_OK:
        status = push_word(r, LOG_DROPPED_ATTRIBUTES, <uint32_t>log.dropped_attributes)
    return status


cdef int read_log(Request* r, Wire w) noexcept nogil:
    cdef State* s = r.v.s
    cdef Wire whole = w
    cdef LogRecord log
    cdef uint32_t before = NONE
    cdef uint32_t field
    cdef int type
    cdef int status = TS_OK
    memset(&log, 0, sizeof(LogRecord))
    node_enter(s, NODE_ATTRIBUTES)
    while w.p < w.end and status == TS_OK:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status == TS_OK:
            status = read_log_field(r, &w, field, type, &log, &before)
    node_leave(s, NODE_ATTRIBUTES)
    if status == TS_OK:
        status = check_log(r, &whole, &log)
    if status == TS_OK:
        status = push_log(r, &log)
    return status


# --- what covers many rows ----------------------------------------------------------------------------


cdef int shred_shared(Request* r, Wire w, uint32_t node, int dropped_column, int name_column) noexcept nogil:
    # A resource (attributes are field 1) or a scope (name 1, version 2, attributes 3) over the rows of the run.
    cdef State* s = r.v.s
    cdef uint32_t attributes_field = 1 if name_column < 0 else 3
    cdef uint32_t dropped_field = 2 if name_column < 0 else 4
    cdef Wire message
    cdef Wire name, version
    cdef uint64_t dropped = 0
    cdef uint32_t before = NONE
    cdef uint32_t field
    cdef int type
    cdef int status = TS_OK
    name.p = name.end = w.end
    version.p = version.end = w.end
    node_enter(s, node)
    while w.p < w.end and status == TS_OK:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            break
        if field == attributes_field and type == WIRE_BYTES:
            status = wire_bytes(&w, &message, &r.v.error)
            r.v.depth = 0
            if status == TS_OK:
                status = shred_attribute(&r.v, message, node, &before)
        elif field == dropped_field and type == WIRE_VARINT:
            status = wire_varint(&w, &dropped, &r.v.error)
        elif field == 1 and type == WIRE_BYTES:
            status = wire_bytes(&w, &name, &r.v.error)
        elif field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &version, &r.v.error)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
    node_leave(s, node)
    if status == TS_OK:
        status = push_word(r, dropped_column, <uint32_t>dropped)
    if status == TS_OK and name_column >= 0:
        status = push_text(r, name_column, &name, False)
        if status == TS_OK:
            status = push_text(r, name_column + 1, &version, False)
    return status


cdef inline void run_begin(State* s, uint32_t first) noexcept nogil:
    # What is pushed next covers rows [first, s.rows).
    row_begin(s)
    s.run = s.rows - first
    s.rows = first


cdef inline void run_end(State* s) noexcept nogil:
    s.rows += s.run
    s.run = 1


cdef int read_part(Request* r, Wire* w, Wire* whole) noexcept nogil:
    # A message that occurs once, joined with what came of it before.
    cdef Wire part
    cdef int status = wire_bytes(w, &part, &r.v.error)
    if status != TS_OK:
        return status
    if whole.p < whole.end:
        return join_parts(&r.v, whole, &part)
    whole[0] = part
    return TS_OK


cdef int read_frame(Request* r, Wire w, Wire* shared, Wire* schema_url, uint64_t* rows) noexcept nogil:
    # The first pass over a ResourceSpans or ScopeSpans: its resource or scope (field 1), its schema URL (3), and the
    # number of its field 2. Afterwards its frame is known to be whole.
    cdef uint32_t field
    cdef int type, status
    cdef Wire skipped
    shared.p = shared.end = w.end
    schema_url.p = schema_url.end = w.end
    rows[0] = 0
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 1 and type == WIRE_BYTES:
            status = read_part(r, &w, shared)
        elif field == 3 and type == WIRE_BYTES:
            status = wire_bytes(&w, schema_url, &r.v.error)
        elif field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &skipped, &r.v.error)
            rows[0] += 1
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int read_rows(Request* r, Wire w) noexcept nogil:
    # The spans or log records of one scope; a bad one is refused alone.
    cdef State* s = r.v.s
    cdef Wire message
    cdef uint64_t offset
    cdef uint32_t field
    cdef int type, status
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field != 2 or type != WIRE_BYTES:
            status = wire_skip(&w, field, type, &r.v.error)
            if status != TS_OK:
                return status
            continue
        status = wire_bytes(&w, &message, &r.v.error)
        if status != TS_OK:
            return status
        if s.rows >= NONE - 1:
            return TS_NO_MEMORY
        row_begin(s)
        status = read_log(r, message) if r.logs else read_span(r, message)
        if status == TS_OK:
            s.rows += 1
        elif status == TS_NO_MEMORY:
            return status
        else:
            row_abort(s)
            offset = message.p - r.base
            if r.base <= r.v.error.at <= r.end:
                offset = r.v.error.at - r.base
            if status == TS_LIMIT and r.v.error.reason == NULL:
                r.v.error.reason = b"a column would pass 2 GiB"
            if reject(&r.refused, r.ordinal, offset, r.v.error.reason) != 0:
                return TS_NO_MEMORY
        r.v.error.reason = NULL
        r.ordinal += 1
    return TS_OK


cdef int read_scope(Request* r, Wire w) noexcept nogil:
    cdef State* s = r.v.s
    cdef uint32_t first = s.rows
    cdef Wire scope, schema_url
    cdef uint64_t rows
    cdef int status = read_frame(r, w, &scope, &schema_url, &rows)
    if status == TS_OK:
        status = read_rows(r, w)
    if status != TS_OK or s.rows == first:
        return status
    run_begin(s, first)
    status = shred_shared(r, scope, NODE_SCOPE, r.resource_dropped + 1, r.scope_name)
    if status == TS_OK:
        status = push_text(r, r.resource_schema_url + 1, &schema_url, False)
    run_end(s)
    return status


cdef int find_routes(Request* r, Wire resource, Text* project, Text* experiment, Text* service) noexcept nogil:
    # What a resource says of its rows' project, experiment and service; the texts lie in the request.
    cdef Wire message, key, value
    cdef AnyValue any
    cdef Text* target
    cdef uint32_t field
    cdef size_t size
    cdef int type, status
    while resource.p < resource.end:
        status = wire_tag(&resource, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field != 1 or type != WIRE_BYTES:
            status = wire_skip(&resource, field, type, &r.v.error)
            if status != TS_OK:
                return status
            continue
        status = wire_bytes(&resource, &message, &r.v.error)
        if status == TS_OK:
            status = read_key_value(&r.v, message, &key, &value)
        if status != TS_OK:
            return status
        size = size_of(&key)
        if size == 12 and memcmp(key.p, b"service.name", 12) == 0:
            target = service
        elif size == 18 and memcmp(key.p, b"tracestore.project", 18) == 0:
            target = project
        elif size == 21 and memcmp(key.p, b"tracestore.experiment", 21) == 0:
            target = experiment
        else:
            continue
        status = read_any(&r.v, value, &any)
        if status != TS_OK:
            return status
        # A name that is no UTF-8 names nothing.
        if any.kind != ANY_STRING or any.bytes.p == any.bytes.end:
            continue
        if utf8_first_bad(any.bytes.p, any.bytes.end) == any.bytes.end:
            target.p = any.bytes.p
            target.size = size_of(&any.bytes)
    return TS_OK


cdef int push_route(Request* r, int column, const Text* text) noexcept nogil:
    cdef Wire w
    if text.p == NULL:
        return TS_OK
    w.p = text.p
    w.end = text.p + text.size
    return push_text(r, column, &w, False)


cdef int skip_scopes(Request* r, Wire w) noexcept nogil:
    # Counts the rows of a resource that belongs to another project.
    cdef Wire scope, shared, schema_url
    cdef uint64_t rows
    cdef uint32_t field
    cdef int type, status
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &scope, &r.v.error)
            if status == TS_OK:
                status = read_frame(r, scope, &shared, &schema_url, &rows)
            r.ordinal += rows
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int read_resource(Request* r, Wire w) noexcept nogil:
    cdef State* s = r.v.s
    cdef uint32_t first = s.rows
    cdef Wire whole = w
    cdef Wire resource, schema_url, scope
    cdef Text project = r.routing.project
    cdef Text experiment = r.routing.experiment
    cdef Text service
    cdef uint64_t scopes
    cdef uint32_t field
    cdef int type
    cdef int status = read_frame(r, w, &resource, &schema_url, &scopes)
    service.p = NULL
    if status == TS_OK:
        status = find_routes(r, resource, &project, &experiment, &service)
    if status != TS_OK:
        return status
    if r.routing.only.p != NULL and not same_text(&project, &r.routing.only):
        return skip_scopes(r, whole)
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status == TS_OK and field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &scope, &r.v.error)
            if status == TS_OK:
                status = read_scope(r, scope)
        elif status == TS_OK:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    if s.rows == first:
        return TS_OK
    run_begin(s, first)
    status = shred_shared(r, resource, NODE_RESOURCE, r.resource_dropped, -1)
    if status == TS_OK:
        status = push_text(r, r.resource_schema_url, &schema_url, False)
    if status == TS_OK:
        status = push_route(r, SPAN_PROJECT, &project)
    if status == TS_OK:
        status = push_route(r, SPAN_EXPERIMENT, &experiment)
    if status == TS_OK:
        status = push_route(r, r.service, &service)
    run_end(s)
    return status


cdef int read_request(Request* r, Wire w) noexcept nogil:
    cdef Wire resource
    cdef uint32_t field
    cdef int type, status
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status == TS_OK and field == 1 and type == WIRE_BYTES:
            status = wire_bytes(&w, &resource, &r.v.error)
            if status == TS_OK:
                status = read_resource(r, resource)
        elif status == TS_OK:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int transcode(Transcoder* t, const uint8_t[::1] payload, bint logs) noexcept nogil:
    # JSON to protobuf; a value of the wrong type outside of a row breaks the frame.
    t.base = &payload[0]
    t.j.p = t.base
    t.j.end = t.base + payload.shape[0]
    return transcode_request(t, logs)


cdef object payload_error(int status, const char* reason, int64_t offset):
    if status == TS_NO_MEMORY:
        return MemoryError()
    return PayloadError((<bytes>reason).decode() if reason != NULL else "a column would pass 2 GiB", offset)


cdef list json_rejections(Transcoder* t, list transcoding, list shredding):
    # Both readers' refusals, by their place in the JSON.
    cdef const RowOrigin* origins = <const RowOrigin*>t.origins.data
    found = transcoding + [(origins[row].row, origins[row].offset, reason) for row, _, reason in shredding]
    return sorted(found)[:MAX_REPORTED_REJECTIONS]


def append_otlp(
    Builder builder not None, const uint8_t[::1] payload not None, bint json, project, experiment, only_project
):
    """Appends an ExportTraceServiceRequest or ExportLogsServiceRequest.

    Args:
        builder: of the table `spans` or `logs`, which says what the payload is.
        payload: the message.
        json: whether it is OTLP/JSON; protobuf otherwise.
        project, experiment: bytes or None, for resources that name none.
        only_project: bytes or None; keeps only the rows of that project.

    Returns:
        (rows, rejections, rejected rows, repaired strings).

    Raises:
        PayloadError: where a frame around rows is broken; the builder is as it was.
        MemoryError: likewise.
    """
    cdef Request r
    cdef Transcoder t
    cdef Wire w
    cdef State* s = &builder.state
    cdef uint32_t before = s.rows
    cdef int status = TS_OK
    cdef bytes project_bytes = project
    cdef bytes experiment_bytes = experiment
    cdef bytes only_bytes = only_project
    memset(&r, 0, sizeof(r))
    memset(&t, 0, sizeof(t))
    if payload.shape[0] == 0:
        return 0, [], 0, 0
    text_of(project_bytes, &r.routing.project)
    text_of(experiment_bytes, &r.routing.experiment)
    text_of(only_bytes, &r.routing.only)
    r.v.s = s
    r.v.joined_most = JOINED_BYTES + <uint64_t>payload.shape[0]
    r.logs = builder.spec.name == "logs"
    r.service = <int>LOG_SERVICE if r.logs else <int>SPAN_SERVICE
    r.scope_name = <int>LOG_SCOPE_NAME if r.logs else <int>SPAN_SCOPE_NAME
    r.resource_schema_url = <int>LOG_RESOURCE_SCHEMA_URL if r.logs else <int>SPAN_RESOURCE_SCHEMA_URL
    r.resource_dropped = <int>LOG_RESOURCE_DROPPED if r.logs else <int>SPAN_RESOURCE_DROPPED
    w.p = &payload[0]
    w.end = w.p + payload.shape[0]
    builder.enter()
    try:
        with nogil:
            if json:
                status = transcode(&t, payload, r.logs)
                w.p = t.out.data
                w.end = t.out.data + t.out.size
            r.base = w.p
            r.end = w.end
            if status == TS_OK:
                status = read_request(&r, w)
                if status != TS_OK:
                    # A run under way has moved the row counter back.
                    s.run = 1
                    rows_truncate(s, before)
        repaired = r.v.repaired + t.j.repaired
        s.repaired_strings += repaired
        rejected = r.refused.count + t.refused.count
        rejections = rejections_take(&r.refused)
        if json:
            rejections = json_rejections(&t, rejections_take(&t.refused), rejections)
            if status != TS_OK:
                raise payload_error(status, t.j.reason, t.j.p - t.base)
        elif status != TS_OK:
            raise payload_error(
                status, r.v.error.reason, r.v.error.at - r.base if r.base <= r.v.error.at <= r.end else 0
            )
    finally:
        reader_free(&r.v)
        transcoder_free(&t)
        builder.leave()
    return s.rows - before, rejections, rejected, repaired


def otlp_projects(const uint8_t[::1] payload not None, bint json, bint logs):
    """Returns the distinct projects, as bytes or None for the default, that a request's resources name.

    Raises:
        PayloadError: where the frame is broken.
    """
    cdef Request r
    cdef Transcoder t
    cdef Wire w, message, resource, schema_url
    cdef Text project, experiment, service
    cdef uint64_t scopes
    cdef uint32_t field
    cdef int type
    cdef int status = TS_OK
    found = {}
    memset(&r, 0, sizeof(r))
    memset(&t, 0, sizeof(t))
    if payload.shape[0] == 0:
        return [None]
    r.v.joined_most = JOINED_BYTES + <uint64_t>payload.shape[0]
    w.p = &payload[0]
    w.end = w.p + payload.shape[0]
    try:
        if json:
            with nogil:
                status = transcode(&t, payload, logs)
            if status != TS_OK:
                raise payload_error(status, t.j.reason, t.j.p - t.base)
            w.p = t.out.data
            w.end = t.out.data + t.out.size
        r.base = w.p
        while w.p < w.end and status == TS_OK:
            status = wire_tag(&w, &field, &type, &r.v.error)
            if status == TS_OK and field == 1 and type == WIRE_BYTES:
                project.p = NULL
                status = wire_bytes(&w, &message, &r.v.error)
                if status == TS_OK:
                    status = read_frame(&r, message, &resource, &schema_url, &scopes)
                if status == TS_OK:
                    status = find_routes(&r, resource, &project, &experiment, &service)
                if status == TS_OK:
                    found[<bytes>(<const char*>project.p)[: project.size] if project.p != NULL else None] = True
            elif status == TS_OK:
                status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            raise payload_error(status, r.v.error.reason, r.v.error.at - r.base)
    finally:
        reader_free(&r.v)
        transcoder_free(&t)
    return list(found) or [None]
