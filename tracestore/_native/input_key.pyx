"""input_key: equal for equal variants whatever the order of keys and the spelling of numbers and strings.

A number counts by its value: 1, 1.0 and 1e0 are one. A fraction counts by its double; a whole number beyond 64 bits,
and any that no double holds exactly, by its decimal digits. Of a key that comes twice the last value counts.
docs/format/shredding.md, "input_key", is the specification. Linear in the text but for sorting an object's keys.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport qsort
from libc.string cimport memcpy, memset

from tracestore._native.buffer cimport Buffer, buffer_free, buffer_u64
from tracestore._native.hashing cimport hash_bytes, hash_fold
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_bad_number,
    json_fail,
    json_key,
    json_literal,
    json_open,
    json_separator,
    json_space,
    json_string,
)
from tracestore._native.number cimport NUMBER_BAD, NUMBER_F64, NUMBER_I64, NumberKind, number_read
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK

from tracestore.errors import PayloadError

cdef double I64_BOUND = 9223372036854775808.0  # 2^63; a double at or beyond it is whole, and no i64
cdef uint64_t I64_MAX = 0x7FFFFFFFFFFFFFFF
cdef uint64_t U64_MAX = 0xFFFFFFFFFFFFFFFF

cdef enum:
    TAG_NULL = 1
    TAG_FALSE = 2
    TAG_TRUE = 3
    TAG_I64 = 4
    TAG_F64 = 5
    TAG_TEXT_NUMBER = 6
    TAG_STR = 7
    TAG_ARRAY = 8
    TAG_OBJECT = 9
    # 64-bit words of one member of an object: hash of the key, order of arrival, hash of the value.
    MEMBER_WORDS = 3


cdef inline uint64_t tagged(uint64_t tag, uint64_t word) noexcept nogil:
    return hash_bytes(<const uint8_t*>&word, 8, tag)


cdef int compare_members(const void* a, const void* b) noexcept nogil:
    cdef const uint64_t* x = <const uint64_t*>a
    cdef const uint64_t* y = <const uint64_t*>b
    if x[0] != y[0]:
        return -1 if x[0] < y[0] else 1
    return -1 if x[1] < y[1] else 1


cdef inline bint append_digit(uint64_t* whole, uint64_t digit) noexcept nogil:
    # Tells whether 64 bits do not hold the number with one more digit.
    if whole[0] > (U64_MAX - digit) // 10:
        return 1
    whole[0] = whole[0] * 10 + digit
    return 0


cdef uint64_t hash_text_number(const uint8_t* p, const uint8_t* end) noexcept nogil:
    # Sign, significant digits and exponent of a number: 10e399 equals 1e400.
    cdef uint64_t h = TAG_TEXT_NUMBER
    cdef int64_t exponent = 0
    cdef int64_t written = 0
    cdef int64_t zeros = 0
    cdef bint point = 0
    cdef bint started = 0
    cdef bint negative = p[0] == c'-'
    # The digits as a whole number, while 64 bits hold it.
    cdef uint64_t whole = 0
    cdef bint beyond = 0
    cdef bint written_negative = 0
    if negative:
        h = tagged(h, 1)
        p += 1
    while p < end and (p[0] | 0x20) != c'e':
        if p[0] == c'.':
            point = 1
        else:
            exponent -= point
            # A zero counts only once a later digit follows it.
            if p[0] == c'0':
                zeros += started
            else:
                started = 1
                while zeros:
                    h = hash_fold(h ^ <uint64_t>0x9E3779B97F4A7C15, 0x30)
                    beyond |= append_digit(&whole, 0)
                    zeros -= 1
                h = hash_fold(h ^ <uint64_t>0x9E3779B97F4A7C15, <uint64_t>p[0])
                beyond |= append_digit(&whole, p[0] - c'0')
        p += 1
    if p < end:
        p += 1
        if p[0] == c'-' or p[0] == c'+':
            written_negative = p[0] == c'-'
            p += 1
        while p < end:
            if written < <int64_t>100_000_000_000:
                written = written * 10 + (p[0] - c'0')
            p += 1
    exponent += zeros + (-written if written_negative else written)
    written = exponent
    while written > 0 and whole and not beyond:
        beyond = append_digit(&whole, 0)
        written -= 1
    if not beyond and written == 0 and whole <= I64_MAX + negative:
        return tagged(TAG_I64, 0 - whole if negative else whole)
    return tagged(h, <uint64_t>exponent)


cdef int hash_number(JsonCursor* j, uint64_t* out) noexcept nogil:
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64
    cdef uint64_t bits
    cdef NumberKind kind = number_read(j.p, j.end, &next, &i64, &f64)
    if kind == NUMBER_BAD:
        return json_bad_number(j)
    if kind == NUMBER_I64:
        out[0] = tagged(TAG_I64, <uint64_t>i64)
    elif kind == NUMBER_F64 and -I64_BOUND <= f64 < I64_BOUND:
        i64 = <int64_t>f64
        if <double>i64 == f64:
            out[0] = tagged(TAG_I64, <uint64_t>i64)
        else:
            memcpy(&bits, &f64, 8)
            out[0] = tagged(TAG_F64, bits)
    else:
        out[0] = hash_text_number(j.p, next)
    j.p = next
    return TS_OK


cdef int hash_array(JsonCursor* j, Buffer* pairs, Buffer* text, uint64_t* out) noexcept nogil:
    cdef uint64_t h = TAG_ARRAY
    cdef uint64_t item
    cdef bint more = 1
    cdef int status = json_open(j)
    if status != TS_OK:
        return status
    if j.p < j.end and j.p[0] == c']':
        j.p += 1
        more = 0
    while more:
        status = hash_json_value(j, pairs, text, &item)
        if status == TS_OK:
            status = json_separator(j, c']', &more)
        if status != TS_OK:
            return status
        h = tagged(h, item)
    j.depth -= 1
    out[0] = tagged(h, TAG_ARRAY)
    return TS_OK


cdef int hash_object(JsonCursor* j, Buffer* pairs, Buffer* text, uint64_t* out) noexcept nogil:
    cdef uint64_t h = TAG_OBJECT
    cdef uint64_t order = 0
    cdef uint64_t value, i
    cdef uint64_t* members
    cdef size_t start = pairs.size
    cdef size_t at
    cdef Text key
    cdef bint more = 1
    cdef int status = json_open(j)
    if status != TS_OK:
        return status
    if j.p < j.end and j.p[0] == c'}':
        j.p += 1
        more = 0
    while more:
        status = json_key(j, text, &key)
        if status != TS_OK:
            return status
        at = pairs.size
        if (
            buffer_u64(pairs, hash_bytes(key.p, key.size, TAG_STR)) != 0
            or buffer_u64(pairs, order) != 0
            or buffer_u64(pairs, 0) != 0
        ):
            return TS_NO_MEMORY
        status = hash_json_value(j, pairs, text, &value)
        if status == TS_OK:
            status = json_separator(j, c'}', &more)
        if status != TS_OK:
            return status
        (<uint64_t*>(pairs.data + at))[2] = value
        order += 1
    j.depth -= 1
    members = <uint64_t*>(pairs.data + start)
    if order > 1:
        qsort(members, order, MEMBER_WORDS * 8, &compare_members)
    for i in range(order):
        if i + 1 < order and members[MEMBER_WORDS * (i + 1)] == members[MEMBER_WORDS * i]:
            continue
        h = tagged(tagged(h, members[MEMBER_WORDS * i]), members[MEMBER_WORDS * i + 2])
    pairs.size = start
    out[0] = tagged(h, TAG_OBJECT)
    return TS_OK


cdef int hash_json_value(JsonCursor* j, Buffer* pairs, Buffer* text, uint64_t* out) noexcept nogil:
    cdef Text string
    cdef uint8_t c
    cdef int status
    if j.p >= j.end:
        return json_fail(j, b"unexpected end; want a value")
    c = j.p[0]
    if c == c'"':
        status = json_string(j, text, &string)
        if status == TS_OK:
            out[0] = hash_bytes(string.p, string.size, TAG_STR)
        return status
    if c == c'{':
        return hash_object(j, pairs, text, out)
    if c == c'[':
        return hash_array(j, pairs, text, out)
    if c == c't':
        out[0] = tagged(TAG_TRUE, 0)
        return json_literal(j, b"true", 4)
    if c == c'f':
        out[0] = tagged(TAG_FALSE, 0)
        return json_literal(j, b"false", 5)
    if c == c'n':
        out[0] = tagged(TAG_NULL, 0)
        return json_literal(j, b"null", 4)
    return hash_number(j, out)


def input_key(const uint8_t[::1] text not None):
    """Returns the key of one JSON value as a signed 64-bit integer.

    Raises:
        PayloadError: where the text is not exactly one JSON value.
    """
    cdef JsonCursor j
    cdef Buffer pairs, scratch
    cdef uint64_t key = 0
    cdef int status
    memset(&j, 0, sizeof(j))
    memset(&pairs, 0, sizeof(pairs))
    memset(&scratch, 0, sizeof(scratch))
    if text.shape[0] == 0:
        raise PayloadError("unexpected end; want a value", 0)
    j.p = &text[0]
    j.end = j.p + text.shape[0]
    with nogil:
        json_space(&j)
        status = hash_json_value(&j, &pairs, &scratch, &key)
        if status == TS_OK:
            json_space(&j)
            if j.p < j.end:
                status = json_fail(&j, b"unexpected bytes after the value")
        buffer_free(&pairs)
        buffer_free(&scratch)
    if status == TS_NO_MEMORY:
        raise MemoryError
    if status != TS_OK:
        raise PayloadError((<bytes>j.reason).decode(), j.p - &text[0])
    return <int64_t>key
