"""Spans: attributes are shredded where they come, fixed fields kept until the message ends, then checked."""

from libc.stdint cimport INT64_MAX, uint32_t, uint64_t
from libc.string cimport memset

from tracestore._native.builder cimport NONE, State, list_commit, list_cut, node_enter, node_leave
from tracestore._native.otlp_events cimport add_item
from tracestore._native.otlp_request cimport (
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Request,
    all_zero,
    push_id,
    push_name,
    push_text,
    push_word,
    row_fail,
    size_of,
)
from tracestore._native.otlp_value cimport read_key_value, shred_pair
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
from tracestore._native.span_columns cimport SpanEnd, fields_push
from tracestore._native.span_fields cimport fields_begin, fields_settle, note_attribute, note_event
from tracestore._native.status cimport TS_OK
from tracestore._native.tables cimport (
    NODE_ATTRIBUTES,
    SPAN_DROPPED_ATTRIBUTES,
    SPAN_DROPPED_EVENTS,
    SPAN_DROPPED_LINKS,
    SPAN_DURATION_NS,
    SPAN_FLAGS,
    SPAN_KIND,
    SPAN_NAME,
    SPAN_PARENT_SPAN_ID,
    SPAN_SPAN_ID,
    SPAN_START_NS,
    SPAN_STATUS_CODE,
    SPAN_STATUS_MESSAGE,
    SPAN_TRACE_ID,
    SPAN_TRACE_STATE,
)

cdef const char** KIND_NAMES = [b"UNSPECIFIED", b"INTERNAL", b"SERVER", b"CLIENT", b"PRODUCER", b"CONSUMER"]
cdef const char** STATUS_NAMES = [b"UNSET", b"OK", b"ERROR"]


cdef enum:
    STATUS_OK = 1
    STATUS_ERROR = 2


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


cdef int read_attribute(Request* r, Wire message, uint32_t* before) noexcept nogil:
    cdef Wire key, value
    cdef bint waits = 0
    cdef int status = read_key_value(&r.v, message, &key, &value)
    if status == TS_OK and r.fields.table != NULL:
        status = note_attribute(r, &key, &value, &waits)
    if status != TS_OK or waits:
        return status
    r.v.depth = 0
    return shred_pair(&r.v, &key, &value, NODE_ATTRIBUTES, before)


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
            return read_attribute(r, message, before)
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
            status = add_item(r, message, False, &span.events, &span.events_mark)
            if status == TS_OK and r.fields.table != NULL:
                status = note_event(r, message)
            return status
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
    cdef SpanEnd end
    cdef uint32_t before = NONE
    cdef uint32_t field
    cdef int type
    cdef int status = TS_OK
    memset(&span, 0, sizeof(Span))
    span.events = NONE
    span.links = NONE
    fields_begin(&r.fields)
    node_enter(s, NODE_ATTRIBUTES)
    while w.p < w.end and status == TS_OK:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status == TS_OK:
            status = read_span_field(r, &w, field, type, &span, &before)
    if status == TS_OK and r.fields.waiting.size | r.fields.numbered.size:
        status = fields_settle(r, &before)
    node_leave(s, NODE_ATTRIBUTES)
    if status == TS_OK:
        status = check_span(r, &whole, &span)
    if status == TS_OK:
        status = push_span(r, &span)
    if status == TS_OK and r.fields.table != NULL:
        end.start_ns = span.start_ns
        end.failed = span.status_code == STATUS_ERROR
        end.succeeded = span.status_code == STATUS_OK
        end.message = span.status_message
        status = fields_push(r, &end)
    if status != TS_OK:
        if span.events != NONE:
            list_cut(&s.leaves[span.events], span.events_mark)
        if span.links != NONE:
            list_cut(&s.leaves[span.links], span.links_mark)
    return status
