"""The JSON reader: see json_reader.pxd. About 1 GB/s through text, bounded by MAX_JSON_DEPTH in stack."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_u8
from tracestore._native.number cimport NUMBER_BAD, number_read
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.text cimport hex_value, ts_scan_string, utf8_append, utf8_first_bad, utf8_repair


cdef int json_hex4(JsonCursor* j, const uint8_t* p, uint32_t* code) noexcept nogil:
    # Four hex digits at p; fails with the cursor at the first byte that is none.
    cdef uint32_t value = 0
    cdef int i, digit
    for i in range(4):
        if j.end - p <= i:
            j.p = j.end
            return json_fail(j, b"unexpected end inside an escape")
        digit = hex_value(p[i])
        if digit < 0:
            j.p = p + i
            return json_fail(j, b"expected four hex digits after \\u")
        value = (value << 4) | <uint32_t>digit
    code[0] = value
    return TS_OK


cdef int json_unicode(JsonCursor* j, const uint8_t** at, uint32_t* code, bint* lone) noexcept nogil:
    # A \uXXXX escape, or a pair of them, whose backslash is at *at; moves *at past it. A surrogate without its
    # other half is one U+FFFD.
    cdef const uint8_t* p = at[0]
    cdef uint32_t low
    cdef int status = json_hex4(j, p + 2, code)
    if status != TS_OK:
        return status
    p += 6
    lone[0] = 0
    if code[0] & 0xF800 == 0xD800:
        if code[0] < 0xDC00 and j.end - p >= 6 and p[0] == c'\\' and p[1] == c'u':
            status = json_hex4(j, p + 2, &low)
            if status != TS_OK:
                return status
            if low & 0xFC00 == 0xDC00:
                code[0] = 0x10000 + ((code[0] - 0xD800) << 10) + (low - 0xDC00)
                at[0] = p + 6
                return TS_OK
        lone[0] = 1
        code[0] = 0xFFFD
    at[0] = p
    return TS_OK


cdef int json_end_of_string(JsonCursor* j, const uint8_t* stop) noexcept nogil:
    # Why a scan stopped at a byte that is neither quote nor backslash.
    j.p = stop
    if stop >= j.end:
        return json_fail(j, b"unexpected end inside a string")
    return json_fail(j, b"unexpected control character inside a string")


cdef int json_string_slow(JsonCursor* j, const uint8_t* start, Buffer* scratch, Text* out) noexcept nogil:
    cdef const uint8_t* p = start
    cdef const uint8_t* stop
    cdef uint32_t code
    cdef uint8_t c
    cdef bint lone
    cdef bint repaired = 0
    cdef int non_ascii, status
    scratch.size = 0
    while True:
        non_ascii = 0
        stop = ts_scan_string(p, j.end, &non_ascii)
        if stop >= j.end or stop[0] < 0x20:
            return json_end_of_string(j, stop)
        if non_ascii and utf8_first_bad(p, stop) != stop:
            repaired = 1
            if utf8_repair(scratch, p, stop) != 0:
                return TS_NO_MEMORY
        elif buffer_bytes(scratch, p, stop - p) != 0:
            return TS_NO_MEMORY
        if stop[0] == c'"':
            break
        if j.end - stop < 2:
            j.p = j.end
            return json_fail(j, b"unexpected end inside an escape")
        c = stop[1]
        p = stop + 2
        if c == c'u':
            p = stop
            status = json_unicode(j, &p, &code, &lone)
            if status != TS_OK:
                return status
            repaired |= lone
            if utf8_append(scratch, code) != 0:
                return TS_NO_MEMORY
            continue
        if c == c'n':
            c = c'\n'
        elif c == c't':
            c = c'\t'
        elif c == c'r':
            c = c'\r'
        elif c == c'b':
            c = 8
        elif c == c'f':
            c = 12
        elif c != c'"' and c != c'\\' and c != c'/':
            j.p = stop + 1
            return json_fail(j, b"unknown escape in a string")
        if buffer_u8(scratch, c) != 0:
            return TS_NO_MEMORY
    j.repaired += repaired
    j.p = stop + 1
    out.p = scratch.data
    out.size = scratch.size
    return TS_OK


cdef int copy_string(JsonCursor* j, Buffer* out) noexcept nogil:
    # Appends a string as it is spelled, quotes included; what is no text becomes U+FFFD.
    cdef const uint8_t* p = j.p + 1
    cdef const uint8_t* stop
    cdef const uint8_t* after
    cdef uint32_t code
    cdef bint lone
    cdef bint repaired = 0
    cdef int non_ascii, status
    if buffer_u8(out, c'"') != 0:
        return TS_NO_MEMORY
    while True:
        non_ascii = 0
        stop = ts_scan_string(p, j.end, &non_ascii)
        if stop >= j.end or stop[0] < 0x20:
            return json_end_of_string(j, stop)
        if non_ascii and utf8_first_bad(p, stop) != stop:
            repaired = 1
            status = utf8_repair(out, p, stop)
        else:
            status = buffer_bytes(out, p, stop - p)
        if status != 0:
            return TS_NO_MEMORY
        if stop[0] == c'"':
            j.repaired += repaired
            j.p = stop + 1
            return buffer_u8(out, c'"')
        if j.end - stop < 2:
            j.p = j.end
            return json_fail(j, b"unexpected end inside an escape")
        after = stop + 2
        lone = 0
        if stop[1] == c'u':
            after = stop
            status = json_unicode(j, &after, &code, &lone)
            if status != TS_OK:
                return status
        elif not is_escape(stop[1]):
            j.p = stop + 1
            return json_fail(j, b"unknown escape in a string")
        if lone:
            repaired = 1
            status = utf8_append(out, 0xFFFD)
        else:
            status = buffer_bytes(out, stop, after - stop)
        if status != 0:
            return TS_NO_MEMORY
        p = after


cdef inline bint is_escape(uint8_t c) noexcept nogil:
    return (
        c == c'"' or c == c'\\' or c == c'/' or c == c'b' or c == c'f' or c == c'n' or c == c'r' or c == c't'
    )


cdef int copy_members(JsonCursor* j, Buffer* out, uint8_t close) noexcept nogil:
    # The inside of an array or object whose bracket is at p, and both its brackets.
    cdef bint more = 1
    cdef int status
    if buffer_u8(out, j.p[0]) != 0:
        return TS_NO_MEMORY
    status = json_open(j)
    if status != TS_OK:
        return status
    if j.p < j.end and j.p[0] == close:
        j.p += 1
        more = 0
    while more:
        if close == c'}':
            if j.p >= j.end or j.p[0] != c'"':
                return json_fail(j, b"expected a key in double quotes")
            status = copy_string(j, out)
            if status == TS_OK:
                status = json_colon(j)
            if status != TS_OK:
                return status
            if buffer_u8(out, c':') != 0:
                return TS_NO_MEMORY
        status = json_copy_value(j, out)
        if status == TS_OK:
            status = json_separator(j, close, &more)
        if status != TS_OK:
            return status
        if more and buffer_u8(out, c',') != 0:
            return TS_NO_MEMORY
    j.depth -= 1
    return buffer_u8(out, close)


cdef int json_copy_value(JsonCursor* j, Buffer* out) noexcept nogil:
    # Checks the value at p and appends its text: white space between tokens dropped, spelling kept.
    cdef const uint8_t* start = j.p
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64
    cdef uint8_t c
    cdef int status
    if j.p >= j.end:
        return json_fail(j, b"unexpected end; want a value")
    c = j.p[0]
    if c == c'"':
        return copy_string(j, out)
    if c == c'{':
        return copy_members(j, out, c'}')
    if c == c'[':
        return copy_members(j, out, c']')
    if c == c't':
        status = json_literal(j, b"true", 4)
    elif c == c'f':
        status = json_literal(j, b"false", 5)
    elif c == c'n':
        status = json_literal(j, b"null", 4)
    elif number_read(j.p, j.end, &next, &i64, &f64) != NUMBER_BAD:
        j.p = next
        status = TS_OK
    else:
        return json_bad_number(j)
    if status != TS_OK:
        return status
    return buffer_bytes(out, start, j.p - start)


cdef int json_bad_number(JsonCursor* j) noexcept nogil:
    # Moves past what looks like a number, so that one cut at the end reads as truncated.
    cdef const uint8_t* start = j.p
    cdef uint8_t c
    while j.p < j.end:
        c = j.p[0]
        if not (c'0' <= c <= c'9' or c == c'-' or c == c'+' or c == c'.' or c | 0x20 == c'e'):
            break
        j.p += 1
    if j.p == start:
        return json_fail(j, b"unexpected character; want a value")
    if j.p < j.end:
        j.p = start
    return json_fail(j, b"not a number of JSON")


cdef int json_skip_value(JsonCursor* j) noexcept nogil:
    # Checks the value at p and moves past it.
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64
    cdef uint8_t c
    cdef uint8_t close
    cdef bint more = 1
    cdef int status
    if j.p >= j.end:
        return json_fail(j, b"unexpected end; want a value")
    c = j.p[0]
    if c == c'"':
        return skip_string(j)
    if c == c'{' or c == c'[':
        close = c'}' if c == c'{' else c']'
        status = json_open(j)
        if status != TS_OK:
            return status
        if j.p < j.end and j.p[0] == close:
            j.p += 1
            more = 0
        while more:
            if close == c'}':
                if j.p >= j.end or j.p[0] != c'"':
                    return json_fail(j, b"expected a key in double quotes")
                status = skip_string(j)
                if status == TS_OK:
                    status = json_colon(j)
                if status != TS_OK:
                    return status
            status = json_skip_value(j)
            if status == TS_OK:
                status = json_separator(j, close, &more)
            if status != TS_OK:
                return status
        j.depth -= 1
        return TS_OK
    if c == c't':
        return json_literal(j, b"true", 4)
    if c == c'f':
        return json_literal(j, b"false", 5)
    if c == c'n':
        return json_literal(j, b"null", 4)
    if number_read(j.p, j.end, &next, &i64, &f64) != NUMBER_BAD:
        j.p = next
        return TS_OK
    return json_bad_number(j)


cdef int skip_string(JsonCursor* j) noexcept nogil:
    cdef const uint8_t* p = j.p + 1
    cdef const uint8_t* stop
    cdef uint32_t code
    cdef bint lone
    cdef int non_ascii = 0
    cdef int status
    while True:
        stop = ts_scan_string(p, j.end, &non_ascii)
        if stop >= j.end or stop[0] < 0x20:
            return json_end_of_string(j, stop)
        if stop[0] == c'"':
            j.p = stop + 1
            return TS_OK
        if j.end - stop < 2:
            j.p = j.end
            return json_fail(j, b"unexpected end inside an escape")
        p = stop + 2
        if stop[1] == c'u':
            p = stop
            status = json_unicode(j, &p, &code, &lone)
            if status != TS_OK:
                return status
        elif not is_escape(stop[1]):
            j.p = stop + 1
            return json_fail(j, b"unknown escape in a string")
