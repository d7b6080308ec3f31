"""Columns of an OTLP request: see otlp_request.pxd."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport strlen

from tracestore._native.buffer cimport Buffer
from tracestore._native.builder cimport push_bytes, push_i64
from tracestore._native.json_reader cimport Text
from tracestore._native.number cimport write_i64
from tracestore._native.otlp_value cimport read_text
from tracestore._native.protobuf cimport Wire
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.text cimport hex_digit


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


cdef int push_name(Request* r, int column, uint64_t value, const char** names, int32_t known) noexcept nogil:
    # An enum's name; a number of a later specification keeps its digits. Enums are 32 bits wide.
    cdef Buffer* text = &r.v.json
    cdef int32_t number = <int32_t>value
    if 0 <= number < known:
        return push_bytes(r.v.s, column, names[number], strlen(names[number]))
    text.size = 0
    if write_i64(text, number) != 0:
        return TS_NO_MEMORY
    return push_bytes(r.v.s, column, text.data, text.size)
