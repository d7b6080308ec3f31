"""The protobuf wire format: the only way OTLP bytes are consumed. No move past `end`, no recursion but groups.

docs: the encoding is tag = field << 3 | type; types 0 varint, 1 eight bytes, 2 length-delimited, 3 and 4 group,
5 four bytes.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from tracestore._native.status cimport TS_OK, TS_SYNTAX, TS_TRUNCATED

cdef enum:
    WIRE_VARINT = 0
    WIRE_FIXED64 = 1
    WIRE_BYTES = 2
    WIRE_GROUP = 3
    WIRE_END_GROUP = 4
    WIRE_FIXED32 = 5
    # Groups inside groups that are skipped; protobuf's own readers stop at 100 messages.
    MAX_GROUP_DEPTH = 100


cdef struct Wire:
    const uint8_t* p
    const uint8_t* end


cdef struct WireError:
    const uint8_t* at
    const char* reason


cdef inline int wire_fail(const Wire* w, WireError* error, const char* reason) noexcept nogil:
    error.at = w.p
    error.reason = reason
    return TS_TRUNCATED if w.p >= w.end else TS_SYNTAX


cdef inline int wire_varint_long(Wire* w, uint64_t* out, WireError* error) noexcept nogil:
    cdef const uint8_t* p = w.p
    cdef uint64_t value = 0
    cdef int shift = 0
    cdef uint8_t byte
    while shift < 70:
        if p >= w.end:
            w.p = p
            return wire_fail(w, error, b"unexpected end inside a varint")
        byte = p[0]
        p += 1
        value |= <uint64_t>(byte & 0x7F) << shift
        if byte < 0x80:
            w.p = p
            out[0] = value
            return TS_OK
        shift += 7
    return wire_fail(w, error, b"varint longer than 10 bytes")


cdef inline int wire_varint(Wire* w, uint64_t* out, WireError* error) noexcept nogil:
    if w.p < w.end and w.p[0] < 0x80:
        out[0] = w.p[0]
        w.p += 1
        return TS_OK
    return wire_varint_long(w, out, error)


cdef inline int wire_tag(Wire* w, uint32_t* field, int* type, WireError* error) noexcept nogil:
    cdef uint64_t tag
    cdef int status = wire_varint(w, &tag, error)
    if status != TS_OK:
        return status
    field[0] = <uint32_t>(tag >> 3)
    type[0] = <int>(tag & 7)
    if tag > <uint64_t>0xFFFFFFFF or field[0] == 0:
        return wire_fail(w, error, b"field number out of range")
    return TS_OK


cdef inline int wire_bytes(Wire* w, Wire* out, WireError* error) noexcept nogil:
    cdef uint64_t size
    cdef int status = wire_varint(w, &size, error)
    if status != TS_OK:
        return status
    if size > <uint64_t>(w.end - w.p):
        w.p = w.end
        return wire_fail(w, error, b"a length points past the end of its message")
    out.p = w.p
    out.end = w.p + size
    w.p += size
    return TS_OK


cdef inline int wire_fixed64(Wire* w, uint64_t* out, WireError* error) noexcept nogil:
    if w.end - w.p < 8:
        w.p = w.end
        return wire_fail(w, error, b"unexpected end inside a fixed64")
    memcpy(out, w.p, 8)
    w.p += 8
    return TS_OK


cdef inline int wire_fixed32(Wire* w, uint32_t* out, WireError* error) noexcept nogil:
    if w.end - w.p < 4:
        w.p = w.end
        return wire_fail(w, error, b"unexpected end inside a fixed32")
    memcpy(out, w.p, 4)
    w.p += 4
    return TS_OK


cdef inline int wire_skip(Wire* w, uint32_t field, int type, WireError* error) noexcept nogil:
    # Moves past the value of a field nobody asked for; groups are followed to their own end.
    cdef uint32_t open_fields[MAX_GROUP_DEPTH]
    cdef int depth = 0
    cdef uint64_t word
    cdef uint32_t half
    cdef Wire bytes
    cdef int status
    while True:
        if type == WIRE_VARINT:
            status = wire_varint(w, &word, error)
        elif type == WIRE_FIXED64:
            status = wire_fixed64(w, &word, error)
        elif type == WIRE_BYTES:
            status = wire_bytes(w, &bytes, error)
        elif type == WIRE_FIXED32:
            status = wire_fixed32(w, &half, error)
        elif type == WIRE_GROUP:
            if depth == MAX_GROUP_DEPTH:
                return wire_fail(w, error, b"groups nested deeper than 100")
            open_fields[depth] = field
            depth += 1
            status = TS_OK
        elif type == WIRE_END_GROUP:
            if depth == 0 or open_fields[depth - 1] != field:
                return wire_fail(w, error, b"a group ends that did not begin")
            depth -= 1
            status = TS_OK
        else:
            return wire_fail(w, error, b"unknown wire type")
        if status != TS_OK or depth == 0:
            return status
        status = wire_tag(w, &field, &type, error)
        if status != TS_OK:
            return status
