"""UTF-8, JSON string escapes, hex and base64: bytes in, bytes appended to a Buffer."""

from libc.stdint cimport uint8_t, uint32_t

from tracestore._native.buffer cimport (
    Buffer,
    buffer_bytes,
    buffer_reserve,
    buffer_u8,
)

cdef extern from "platform.h" nogil:
    const uint8_t* ts_scan_ascii(const uint8_t* p, const uint8_t* end) noexcept
    const uint8_t* ts_scan_string(const uint8_t* p, const uint8_t* end, int* non_ascii) noexcept


cdef inline int utf8_sequence(const uint8_t* p, const uint8_t* end, int* matched) noexcept nogil:
    # Length of the well-formed sequence at p (a byte above 0x7f), 0 where there is none; *matched is then
    # the length of its longest well-formed prefix, at least 1.
    cdef uint8_t lead = p[0]
    cdef uint8_t low = 0x80
    cdef uint8_t high = 0xBF
    cdef int size, i
    matched[0] = 1
    if lead < 0xC2:
        return 0
    if lead < 0xE0:
        size = 2
    elif lead < 0xF0:
        size = 3
        if lead == 0xE0:
            low = 0xA0
        elif lead == 0xED:
            high = 0x9F
    elif lead < 0xF5:
        size = 4
        if lead == 0xF0:
            low = 0x90
        elif lead == 0xF4:
            high = 0x8F
    else:
        return 0
    for i in range(1, size):
        if end - p <= i or p[i] < low or p[i] > high:
            matched[0] = i
            return 0
        low = 0x80
        high = 0xBF
    return size


cdef inline const uint8_t* utf8_first_bad(const uint8_t* p, const uint8_t* end) noexcept nogil:
    # The first byte that no well-formed sequence owns, `end` where all are well formed.
    cdef int size, matched
    while True:
        p = ts_scan_ascii(p, end)
        # Text beyond ASCII comes in runs: stay here while it lasts.
        while p < end and p[0] >= 0x80:
            size = utf8_sequence(p, end, &matched)
            if size == 0:
                return p
            p += size
        if p >= end:
            return end


cdef inline int utf8_append(Buffer* out, uint32_t code) noexcept nogil:
    if buffer_reserve(out, 4) != 0:
        return -1
    cdef uint8_t* to = out.data + out.size
    if code < 0x80:
        to[0] = <uint8_t>code
        out.size += 1
    elif code < 0x800:
        to[0] = <uint8_t>(0xC0 | (code >> 6))
        to[1] = <uint8_t>(0x80 | (code & 0x3F))
        out.size += 2
    elif code < 0x10000:
        to[0] = <uint8_t>(0xE0 | (code >> 12))
        to[1] = <uint8_t>(0x80 | ((code >> 6) & 0x3F))
        to[2] = <uint8_t>(0x80 | (code & 0x3F))
        out.size += 3
    else:
        to[0] = <uint8_t>(0xF0 | (code >> 18))
        to[1] = <uint8_t>(0x80 | ((code >> 12) & 0x3F))
        to[2] = <uint8_t>(0x80 | ((code >> 6) & 0x3F))
        to[3] = <uint8_t>(0x80 | (code & 0x3F))
        out.size += 4
    return 0


cdef inline int utf8_repair(Buffer* out, const uint8_t* p, const uint8_t* end) noexcept nogil:
    # Appends the text with every ill-formed part replaced by U+FFFD.
    cdef const uint8_t* bad
    cdef int matched
    while p < end:
        bad = utf8_first_bad(p, end)
        if buffer_bytes(out, p, bad - p) != 0:
            return -1
        if bad >= end:
            return 0
        utf8_sequence(bad, end, &matched)
        if utf8_append(out, 0xFFFD) != 0:
            return -1
        p = bad + matched
    return 0


cdef inline uint8_t hex_digit(uint32_t value) noexcept nogil:
    return <uint8_t>(48 + value if value < 10 else 87 + value)


cdef inline int hex_value(uint8_t c) noexcept nogil:
    if c <= c'9':
        return c - c'0' if c >= c'0' else -1
    c |= 0x20
    return c - 87 if c'a' <= c <= c'f' else -1


cdef inline int write_hex(Buffer* out, const uint8_t* p, size_t size) noexcept nogil:
    cdef size_t i
    cdef uint8_t* to
    if buffer_reserve(out, 2 * size) != 0:
        return -1
    to = out.data + out.size
    for i in range(size):
        to[2 * i] = hex_digit(p[i] >> 4)
        to[2 * i + 1] = hex_digit(p[i] & 15)
    out.size += 2 * size
    return 0


cdef inline int write_json_escapes(Buffer* out, const uint8_t* p, size_t size) noexcept nogil:
    # Appends the inside of a JSON string for well-formed UTF-8 text.
    cdef const uint8_t* end = p + size
    cdef const uint8_t* stop
    cdef int non_ascii = 0
    cdef uint8_t c
    while True:
        stop = ts_scan_string(p, end, &non_ascii)
        if buffer_bytes(out, p, stop - p) != 0:
            return -1
        if stop >= end:
            return 0
        if buffer_reserve(out, 6) != 0:
            return -1
        c = stop[0]
        buffer_u8(out, c'\\')
        if c == c'"' or c == c'\\':
            buffer_u8(out, c)
        elif c == c'\n':
            buffer_u8(out, c'n')
        elif c == c'\r':
            buffer_u8(out, c'r')
        elif c == c'\t':
            buffer_u8(out, c't')
        elif c == 8:
            buffer_u8(out, c'b')
        elif c == 12:
            buffer_u8(out, c'f')
        else:
            buffer_bytes(out, b"u00", 3)
            buffer_u8(out, hex_digit(c >> 4))
            buffer_u8(out, hex_digit(c & 15))
        p = stop + 1


cdef inline int write_json_string(Buffer* out, const uint8_t* p, size_t size) noexcept nogil:
    if buffer_u8(out, c'"') != 0 or write_json_escapes(out, p, size) != 0:
        return -1
    return buffer_u8(out, c'"')


cdef inline uint8_t base64_digit(uint32_t value) noexcept nogil:
    if value < 26:
        return <uint8_t>(65 + value)
    if value < 52:
        return <uint8_t>(71 + value)
    if value < 62:
        return <uint8_t>(value - 4)
    return c'+' if value == 62 else c'/'


cdef inline int base64_value(uint8_t c) noexcept nogil:
    # Both the standard and the URL-safe alphabet.
    if c'A' <= c <= c'Z':
        return c - 65
    if c'a' <= c <= c'z':
        return c - 71
    if c'0' <= c <= c'9':
        return c + 4
    if c == c'+' or c == c'-':
        return 62
    if c == c'/' or c == c'_':
        return 63
    return -1


cdef inline int write_base64(Buffer* out, const uint8_t* p, size_t size) noexcept nogil:
    cdef uint32_t word
    cdef uint8_t* to
    if buffer_reserve(out, (size + 2) // 3 * 4) != 0:
        return -1
    to = out.data + out.size
    while size >= 3:
        word = (<uint32_t>p[0] << 16) | (<uint32_t>p[1] << 8) | p[2]
        to[0] = base64_digit(word >> 18)
        to[1] = base64_digit((word >> 12) & 63)
        to[2] = base64_digit((word >> 6) & 63)
        to[3] = base64_digit(word & 63)
        p += 3
        to += 4
        size -= 3
    if size:
        word = <uint32_t>p[0] << 16
        if size == 2:
            word |= <uint32_t>p[1] << 8
        to[0] = base64_digit(word >> 18)
        to[1] = base64_digit((word >> 12) & 63)
        to[2] = base64_digit((word >> 6) & 63) if size == 2 else c'='
        to[3] = c'='
        to += 4
    out.size = to - out.data
    return 0


cdef inline int read_base64(Buffer* out, const uint8_t* p, size_t size) noexcept nogil:
    # Padding may be missing. Returns 0, -1 where memory is out, 1 where the text is not base64.
    cdef uint32_t word = 0
    cdef int bits = 0
    cdef int value
    cdef size_t i
    while size and p[size - 1] == c'=':
        size -= 1
    if size % 4 == 1:
        return 1
    if buffer_reserve(out, size // 4 * 3 + 3) != 0:
        return -1
    for i in range(size):
        value = base64_value(p[i])
        if value < 0:
            return 1
        word = (word << 6) | <uint32_t>value
        bits += 6
        if bits >= 8:
            bits -= 8
            out.data[out.size] = <uint8_t>((word >> bits) & 0xFF)
            out.size += 1
    return 0
