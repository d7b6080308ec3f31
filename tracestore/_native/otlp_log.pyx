"""Log records: as spans are read, with a body of any value and ids that may be missing."""

from libc.stdint cimport INT64_MAX, int32_t, uint32_t, uint64_t
from libc.string cimport memset

from tracestore._native.builder cimport NONE, State, node_enter, node_leave, push_i64
from tracestore._native.otlp_request cimport (
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Request,
    all_zero,
    push_id,
    push_text,
    push_word,
    row_fail,
    size_of,
)
from tracestore._native.otlp_value cimport join_parts, shred_any, shred_attribute
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
from tracestore._native.status cimport TS_OK
from tracestore._native.tables cimport (
    LOG_DROPPED_ATTRIBUTES,
    LOG_EVENT_NAME,
    LOG_FLAGS,
    LOG_NODE_BODY,
    LOG_OBSERVED_TIME_NS,
    LOG_SEVERITY_NUMBER,
    LOG_SEVERITY_TEXT,
    LOG_SPAN_ID,
    LOG_TIME_NS,
    LOG_TRACE_ID,
    NODE_ATTRIBUTES,
)


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
    if not log.time_ns and not log.observed_ns:
        log.observed_ns = r.arrived_ns
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
        status = push_i64(s, LOG_SEVERITY_NUMBER, <int32_t>log.severity)
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
