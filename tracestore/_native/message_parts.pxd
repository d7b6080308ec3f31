"""Objects of a message and the parts of its body, as places in their JSON text."""

from libc.stdint cimport uint8_t, uint32_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.conventions cimport Table

cdef enum:
    # Of one object; one with more is no message.
    MAX_MEMBERS = 48


cdef struct JsonSpan:
    # One JSON value: where it begins and ends.
    const uint8_t* p
    const uint8_t* end


cdef struct Member:
    # The key with its quotes, and the value.
    JsonSpan key
    JsonSpan value
    uint8_t field


cdef struct Object:
    Member members[MAX_MEMBERS]
    uint32_t count


cdef struct Part:
    JsonSpan value
    uint8_t kind


cdef inline bint is_set(const JsonSpan* s) noexcept nogil:
    # Neither missing nor null.
    return s.p != s.end and s.p[0] != c'n'


cdef inline bint is_text(const JsonSpan* s) noexcept nogil:
    return s.p != s.end and s.p[0] == c'"'


cdef inline bint is_open(const JsonSpan* s, uint8_t bracket) noexcept nogil:
    return s.p != s.end and s.p[0] == bracket


cdef inline bint is_blank(const JsonSpan* s) noexcept nogil:
    # Nothing to say: missing, null, no text, an empty list or object.
    if not is_set(s):
        return 1
    return s.end - s.p == 2 and (s.p[0] == c'"' or s.p[0] == c'[' or s.p[0] == c'{')


# Reads the members of an object whose text is known to be JSON; 0 where it is none, or has too many.
cdef bint read_object(const Table* table, const JsonSpan* value, Object* out) noexcept nogil

# The value of a member, the last of its name; missing where there is none.
cdef JsonSpan member(const Object* o, uint8_t field) noexcept nogil

# Whether a member is there under one name, given with its quotes.
cdef bint is_spelled(const Object* o, uint8_t field, const char* key) noexcept nogil

# Whether a value is one text, given with its quotes.
cdef bint is_word(const JsonSpan* value, const char* text) noexcept nogil

# What a text names, of a kind of names; 0 for nothing.
cdef uint8_t named(const Table* table, int kind, const JsonSpan* text) noexcept nogil

# Appends the parts of a body to `parts`: a text, a list, or one part. *fits is 0 where there are too many.
cdef int read_parts(const Table* table, Buffer* parts, const JsonSpan* body, bint* fits) noexcept nogil

# The next value of the list that `at` stands in, which it moves past; 0 at its end.
cdef bint next_item(JsonSpan* at, JsonSpan* item) noexcept nogil
