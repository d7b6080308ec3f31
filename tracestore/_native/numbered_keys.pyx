"""Numbered keys as arrays again. Sorting, then one pass; what does not fit exactly is refused, never guessed.

Refused are: an item that is no object, a place that is both a value and an object, numbers and names side by side,
numbers far beyond the count of keys (an array would be mostly holes), and values that are objects or bytes
themselves. A hole (the SDKs cut long lists) is null. Recursion is bounded by MAX_LEVELS.
"""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport qsort
from libc.string cimport memcmp

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_u8, same_bytes
from tracestore._native.conventions cimport RULE_WRAPPED, Candidate, Table, Wrapper
from tracestore._native.otlp_value cimport (
    ANY_ARRAY,
    ANY_BYTES,
    ANY_KVLIST,
    AnyValue,
    ValueReader,
    array_is_flat,
    read_any,
    write_any,
)
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.text cimport write_json_string

cdef enum:
    MAX_LEVELS = 32
    # Numbers past four times the count of keys, and this, make no array.
    MAX_HOLES = 16


cdef struct Part:
    # One step of a key: its bytes, and its number where it is one.
    const uint8_t* p
    const uint8_t* end
    bint is_number
    uint32_t number


cdef inline Part part_at(const uint8_t* p, const uint8_t* end) noexcept nogil:
    # The step that begins at p. A number has no leading zero and at most six digits: a longer one is a name.
    cdef Part part
    cdef const uint8_t* at
    part.p = p
    part.end = p
    while part.end < end and part.end[0] != c'.':
        part.end += 1
    part.number = 0
    part.is_number = 0 < part.end - p <= 6 and (p[0] != c'0' or part.end - p == 1)
    at = p
    while part.is_number and at < part.end:
        part.is_number = c'0' <= at[0] <= c'9'
        part.number = part.number * 10 + (at[0] - c'0')
        at += 1
    return part


cdef inline int compare_parts(const Part* a, const Part* b) noexcept nogil:
    cdef size_t size
    cdef int order
    if a.is_number != b.is_number:
        return -1 if a.is_number else 1
    if a.is_number:
        return (a.number > b.number) - (a.number < b.number)
    size = a.end - a.p
    if <size_t>(b.end - b.p) < size:
        size = b.end - b.p
    order = memcmp(a.p, b.p, size) if size else 0
    return order if order else <int>((a.end - a.p > b.end - b.p)) - <int>((a.end - a.p < b.end - b.p))


cdef int compare(const void* left, const void* right) noexcept nogil:
    cdef const Candidate* a = <const Candidate*>left
    cdef const Candidate* b = <const Candidate*>right
    cdef const uint8_t* p = a.key.p
    cdef const uint8_t* q = b.key.p
    cdef Part first, second
    cdef int order
    if a.prefix != b.prefix:
        return <int>a.prefix - <int>b.prefix
    while p <= a.key.end and q <= b.key.end:
        first = part_at(p, a.key.end)
        second = part_at(q, b.key.end)
        order = compare_parts(&first, &second)
        if order:
            return order
        p = first.end + 1
        q = second.end + 1
    if (p <= a.key.end) != (q <= b.key.end):
        return 1 if p <= a.key.end else -1
    return (a.order > b.order) - (a.order < b.order)


cdef void sort_numbered(Candidate* found, uint32_t count, const Table* table) noexcept nogil:
    # Keys are compared without their prefix; they stand whole again afterwards.
    cdef uint32_t i
    for i in range(count):
        found[i].key.p += table.prefixes[found[i].prefix - 1].size
    qsort(found, count, sizeof(Candidate), &compare)
    for i in range(count):
        found[i].key.p -= table.prefixes[found[i].prefix - 1].size


cdef struct Nesting:
    ValueReader* v
    const Table* table
    Buffer* out
    bint wrapped
    bint fits


cdef inline bint is_used_up(const Candidate* c, size_t at) noexcept nogil:
    # Whether a key has no part left: `at` is where the next would begin, behind a dot.
    return at > <size_t>(c.key.end - c.key.p)


cdef inline Part next_part(const Candidate* c, size_t at) noexcept nogil:
    return part_at(c.key.p + at, c.key.end)


cdef int write_leaf(Nesting* n, Candidate* found, uint32_t count) noexcept nogil:
    # One place, told once or more often: the last word counts. A value that could be read back as numbered keys, or
    # that JSON does not hold exactly, does not fit; nor does a place that holds keys as well.
    cdef Candidate* last = &found[count - 1]
    cdef AnyValue any
    cdef int status = read_any(n.v, last.value, &any)
    if status != TS_OK:
        return status
    if any.kind == ANY_KVLIST or any.kind == ANY_BYTES:
        n.fits = 0
        return TS_OK
    if any.kind == ANY_ARRAY:
        status = array_is_flat(n.v, any.bytes, &n.fits)
        if status != TS_OK or not n.fits:
            return status
    n.v.depth = 0
    return write_any(n.v, last.value, n.out)


cdef const Wrapper* wrapper_of(const Table* t, const Part* list) noexcept nogil:
    cdef size_t size = list.end - list.p
    cdef uint32_t i
    for i in range(t.wrapper_count):
        if t.wrappers[i].list_size == size and same_bytes(t.text.data + t.wrappers[i].list_start, list.p, size):
            return &t.wrappers[i]
    return NULL


cdef size_t item_start(Nesting* n, Candidate* found, uint32_t count, size_t at, const Part* list) noexcept nogil:
    # Where the keys of an item begin; 0 where it is no object, or lacks the word behind its number.
    cdef const Wrapper* wrapper
    cdef Part part
    cdef uint32_t i
    if is_used_up(found, at):
        return 0
    if n.wrapped:
        wrapper = wrapper_of(n.table, list)
        if wrapper == NULL:
            return 0
        for i in range(count):
            part = next_part(&found[i], at)
            if <size_t>(part.end - part.p) != wrapper.word_size:
                return 0
            if not same_bytes(n.table.text.data + wrapper.word_start, part.p, wrapper.word_size):
                return 0
        at += wrapper.word_size + 1
        if is_used_up(found, at):
            return 0
    part = next_part(found, at)
    return 0 if part.is_number else at


cdef int write_value(
    Nesting* n, Candidate* found, uint32_t count, size_t at, const Part* list, int level
) noexcept nogil:
    # The candidates agree on the first `at` bytes of their keys, whose last part is `list`.
    cdef Part part, last, other
    cdef uint32_t i = 0
    cdef uint32_t j
    cdef uint32_t written = 0
    cdef size_t inner
    cdef bint is_array
    cdef int status
    if is_used_up(found, at) or level == MAX_LEVELS:
        n.fits = level < MAX_LEVELS and is_used_up(&found[count - 1], at)
        return write_leaf(n, found, count) if n.fits else <int>TS_OK
    part = next_part(found, at)
    last = next_part(&found[count - 1], at)
    is_array = part.is_number
    if is_array != last.is_number or (is_array and last.number > 4 * count + MAX_HOLES) or not (level or is_array):
        n.fits = 0
        return TS_OK
    if buffer_u8(n.out, c'[' if is_array else c'{') != 0:
        return TS_NO_MEMORY
    while i < count:
        part = next_part(&found[i], at)
        j = i + 1
        while j < count:
            other = next_part(&found[j], at)
            if compare_parts(&part, &other) != 0:
                break
            j += 1
        inner = at + (part.end - part.p) + 1
        if is_array:
            while written < part.number:
                if buffer_bytes(n.out, b"null,", 5) != 0:
                    return TS_NO_MEMORY
                written += 1
            written += 1
            inner = item_start(n, found + i, j - i, inner, list)
            n.fits = inner != 0
            if not n.fits:
                return TS_OK
        elif write_json_string(n.out, part.p, part.end - part.p) != 0 or buffer_u8(n.out, c':') != 0:
            return TS_NO_MEMORY
        status = write_value(n, found + i, j - i, inner, &part, level + 1)
        if status != TS_OK or not n.fits:
            return status
        i = j
        if i < count and buffer_u8(n.out, c',') != 0:
            return TS_NO_MEMORY
    return buffer_u8(n.out, c']' if is_array else c'}')


cdef bint fits_alone(const Table* table, const Candidate* c) noexcept nogil:
    cdef size_t at = table.prefixes[c.prefix - 1].size
    cdef bint wrapped = (c.flags & RULE_WRAPPED) != 0
    cdef Part list = last_part_of_prefix(c, at)
    cdef Part part = next_part(c, at)
    cdef const Wrapper* wrapper
    while part.is_number:
        at += (part.end - part.p) + 1
        if is_used_up(c, at):
            return 0
        part = next_part(c, at)
        if wrapped:
            wrapper = wrapper_of(table, &list)
            if wrapper == NULL or <size_t>(part.end - part.p) != wrapper.word_size:
                return 0
            if not same_bytes(table.text.data + wrapper.word_start, part.p, wrapper.word_size):
                return 0
            at += wrapper.word_size + 1
            if is_used_up(c, at):
                return 0
            part = next_part(c, at)
        if part.is_number:
            return 0
        while not part.is_number:
            list = part
            at += (part.end - part.p) + 1
            if is_used_up(c, at):
                return 1
            part = next_part(c, at)
    return 0


cdef inline Part last_part_of_prefix(const Candidate* c, size_t at) noexcept nogil:
    # The name of the list itself: the last part of the prefix, whose final byte is a dot.
    cdef Part list
    list.end = c.key.p + at - 1
    list.p = list.end
    list.is_number = 0
    list.number = 0
    while list.p > c.key.p and (list.p - 1)[0] != c'.':
        list.p -= 1
    return list


cdef int nest(
    ValueReader* v, const Table* table, Candidate* found, uint32_t count, Buffer* out, bint* fits
) noexcept nogil:
    cdef Nesting n
    cdef Part list
    cdef size_t start = out.size
    cdef size_t at = table.prefixes[found[0].prefix - 1].size
    cdef int status
    n.v = v
    n.table = table
    n.out = out
    n.wrapped = (found[0].flags & RULE_WRAPPED) != 0
    n.fits = 1
    list = last_part_of_prefix(found, at)
    status = write_value(&n, found, count, at, &list, 0)
    fits[0] = n.fits
    if status == TS_OK and not n.fits:
        out.size = start
    return status
