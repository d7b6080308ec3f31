"""Events and links as JSON objects with fixed keys. Two passes over each: its fields, then its attributes."""

from libc.stdint cimport INT64_MAX, int64_t, uint8_t, uint32_t, uint64_t

from tracestore._native.buffer cimport Buffer, buffer_u8
from tracestore._native.builder cimport LEAF_JSON_LIST, NONE, State, leaf_of, list_items, list_text_item
from tracestore._native.json_reader cimport Text
from tracestore._native.number cimport write_i64
from tracestore._native.otlp_request cimport Request, size_of
from tracestore._native.otlp_value cimport read_text, write_attribute
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
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.tables cimport SPAN_NODE_EVENTS, SPAN_NODE_LINKS
from tracestore._native.text cimport write_hex, write_json_string


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
