"""A strict RFC 8259 reader over bytes: a checked cursor that yields strings, numbers and whole values as text.

No function reads at or past `end`. A failure sets `reason` and leaves `p` where the bytes went wrong.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_u8
from tracestore._native.status cimport (
    TS_LIMIT,
    TS_NO_MEMORY,
    TS_OK,
    TS_SYNTAX,
    TS_TRUNCATED,
)
from tracestore._native.text cimport (
    hex_value,
    ts_scan_string,
    utf8_append,
    utf8_first_bad,
    utf8_repair,
)

cdef extern from "platform.h" nogil:
    const uint8_t* ts_skip_space(const uint8_t* p, const uint8_t* end) noexcept

cdef enum:
    # Equals limits.MAX_JSON_DEPTH: brackets that may be open at once; the readers recurse.
    MAX_JSON_DEPTH = 1024


cdef struct JsonCursor:
    const uint8_t* p
    const uint8_t* end
    const char* reason
    # Strings that held bytes or escapes that are no text, and were given U+FFFD instead.
    uint64_t repaired
    int depth


cdef struct Text:
    const uint8_t* p
    size_t size


cdef int json_string_slow(JsonCursor* j, const uint8_t* start, Buffer* scratch, Text* out) noexcept nogil
cdef int json_copy_value(JsonCursor* j, Buffer* out) noexcept nogil
cdef int json_skip_value(JsonCursor* j) noexcept nogil
cdef int json_bad_number(JsonCursor* j) noexcept nogil


cdef inline int json_fail(JsonCursor* j, const char* reason) noexcept nogil:
    j.reason = reason
    return TS_TRUNCATED if j.p >= j.end else TS_SYNTAX


cdef inline void json_space(JsonCursor* j) noexcept nogil:
    if j.p < j.end and j.p[0] <= 0x20:
        j.p = ts_skip_space(j.p, j.end)


cdef inline int json_string(JsonCursor* j, Buffer* scratch, Text* out) noexcept nogil:
    # Reads a string whose opening quote is at p. The text lies in the input where it has neither escape nor
    # error, else in `scratch`, which is overwritten.
    cdef const uint8_t* start = j.p + 1
    cdef int non_ascii = 0
    cdef const uint8_t* stop = ts_scan_string(start, j.end, &non_ascii)
    if stop < j.end and stop[0] == c'"' and (not non_ascii or utf8_first_bad(start, stop) == stop):
        out.p = start
        out.size = stop - start
        j.p = stop + 1
        return TS_OK
    return json_string_slow(j, start, scratch, out)


cdef inline int json_literal(JsonCursor* j, const char* word, size_t size) noexcept nogil:
    if <size_t>(j.end - j.p) < size or memcmp(j.p, word, size) != 0:
        # Points at the first byte that differs, so that a cut literal reads as truncated.
        while j.p < j.end and j.p[0] == <uint8_t>word[0]:
            j.p += 1
            word += 1
        return json_fail(j, b"unexpected literal; want true, false or null")
    j.p += size
    return TS_OK


cdef inline int json_colon(JsonCursor* j) noexcept nogil:
    json_space(j)
    if j.p >= j.end or j.p[0] != c':':
        return json_fail(j, b"expected ':' after a key")
    j.p += 1
    json_space(j)
    return TS_OK


cdef inline int json_separator(JsonCursor* j, uint8_t close, bint* more) noexcept nogil:
    # After a value: a comma (*more) or the closing bracket, both consumed.
    json_space(j)
    if j.p >= j.end:
        return json_fail(j, b"unexpected end inside an array or object")
    if j.p[0] == c',':
        j.p += 1
        json_space(j)
        more[0] = 1
        return TS_OK
    if j.p[0] == close:
        j.p += 1
        more[0] = 0
        return TS_OK
    return json_fail(j, b"expected ',' or a closing bracket")


cdef inline int json_open(JsonCursor* j) noexcept nogil:
    # Consumes an opening bracket and the space behind it.
    if j.depth >= MAX_JSON_DEPTH:
        j.reason = b"nested deeper than 1024 brackets"
        return TS_LIMIT
    j.depth += 1
    j.p += 1
    json_space(j)
    return TS_OK


cdef inline int json_key(JsonCursor* j, Buffer* scratch, Text* key) noexcept nogil:
    cdef int status
    if j.p >= j.end or j.p[0] != c'"':
        return json_fail(j, b"expected a key in double quotes")
    status = json_string(j, scratch, key)
    if status != TS_OK:
        return status
    return json_colon(j)
