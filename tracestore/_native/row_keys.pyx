"""Which keys the rows of newline-delimited JSON have, read without building anything.

Rows are cut as `append_json` cuts them. Only the keys of a row's own object are looked at, the values under them
skipped; of a repeated key the last one counts.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.string cimport memcmp

from tracestore._native.buffer cimport Buffer, buffer_free
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_key,
    json_open,
    json_separator,
    json_skip_value,
    json_space,
)
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK, TS_SYNTAX

cdef enum:
    MAX_NAMES = 16
    # What is known of a key of one row: how its last value is.
    MISSING = 0
    EMPTY = 1
    FILLED = 2


cdef struct Wanted:
    # Names looked for: `groups[i]` is the group of `names[i]`, one of `group_count`.
    Text[MAX_NAMES] names
    int[MAX_NAMES] groups
    int name_count
    int group_count
    # Of one row, by name.
    uint8_t[MAX_NAMES] found
    # Rows, and rows in which a group has a key, and has one that is filled.
    int64_t rows
    int64_t[MAX_NAMES] named
    int64_t[MAX_NAMES] filled


cdef inline bint is_digit(uint8_t c) noexcept nogil:
    return c >= c'1' and c <= c'9'


cdef inline uint8_t kind_of(const JsonCursor* j) noexcept nogil:
    # A string that is not empty, or a number that does not begin with zero: nothing else is surely a value.
    cdef const uint8_t* p = j.p
    if j.end - p < 2:
        return EMPTY
    if p[0] == c'"':
        return FILLED if p[1] != c'"' else EMPTY
    if is_digit(p[0]) or (p[0] == c'-' and is_digit(p[1])):
        return FILLED
    return EMPTY


cdef int read_row(JsonCursor* j, Wanted* wanted, Buffer* scratch) noexcept nogil:
    cdef Text key
    cdef bint more = 1
    cdef int i
    cdef int status
    if j.p[0] != c'{':
        return TS_SYNTAX
    j.depth = 0
    status = json_open(j)
    if status != TS_OK:
        return status
    if j.p < j.end and j.p[0] == c'}':
        j.p += 1
        more = 0
    while more:
        status = json_key(j, scratch, &key)
        if status != TS_OK:
            return status
        for i in range(wanted.name_count):
            if wanted.names[i].size == key.size and memcmp(wanted.names[i].p, key.p, key.size) == 0:
                wanted.found[i] = kind_of(j)
        status = json_skip_value(j)
        if status == TS_OK:
            status = json_separator(j, c'}', &more)
        if status != TS_OK:
            return status
    while j.p < j.end and (j.p[0] == c' ' or j.p[0] == c'\t' or j.p[0] == c'\r'):
        j.p += 1
    return TS_OK if j.p >= j.end or j.p[0] == c'\n' else TS_SYNTAX


cdef void count_row(Wanted* wanted) noexcept nogil:
    cdef uint8_t[MAX_NAMES] best
    cdef int i
    for i in range(wanted.group_count):
        best[i] = MISSING
    for i in range(wanted.name_count):
        if wanted.found[i] > best[wanted.groups[i]]:
            best[wanted.groups[i]] = wanted.found[i]
    for i in range(wanted.group_count):
        wanted.named[i] += best[i] != MISSING
        wanted.filled[i] += best[i] == FILLED
    wanted.rows += 1


cdef int read_rows(JsonCursor* j, Wanted* wanted, Buffer* scratch) noexcept nogil:
    cdef int i
    cdef int status
    if j.end - j.p >= 3 and j.p[0] == 0xEF and j.p[1] == 0xBB and j.p[2] == 0xBF:
        j.p += 3
    while True:
        json_space(j)
        if j.p >= j.end:
            return TS_OK
        for i in range(wanted.name_count):
            wanted.found[i] = MISSING
        status = read_row(j, wanted, scratch)
        if status != TS_OK:
            return status
        count_row(wanted)


def row_keys(const uint8_t[::1] payload not None, groups not None):
    """Returns (rows, rows that name each group, rows that fill each group), None where a row cannot be read.

    Args:
        payload: newline-delimited JSON whose rows are objects.
        groups: tuples of names as bytes, 16 names at most. A row names a group where it has one of its names as
            a key of its own, and fills it where one's value is a string that is not empty or a number that does
            not begin with zero.
    """
    cdef Wanted wanted
    cdef Buffer scratch
    cdef JsonCursor j
    cdef int status
    cdef bytes name
    wanted.name_count = wanted.group_count = 0
    wanted.rows = 0
    scratch.data = NULL
    scratch.size = scratch.capacity = 0
    # Held until the end: names are read where they lie.
    held = [tuple(group) for group in groups]
    for group in held:
        for name in group:
            if wanted.name_count == MAX_NAMES:
                raise ValueError("too many names; want 16 at most")
            wanted.names[wanted.name_count].p = name
            wanted.names[wanted.name_count].size = len(name)
            wanted.groups[wanted.name_count] = wanted.group_count
            wanted.name_count += 1
        if wanted.group_count == MAX_NAMES:
            raise ValueError("too many groups; want 16 at most")
        wanted.named[wanted.group_count] = wanted.filled[wanted.group_count] = 0
        wanted.group_count += 1
    if payload.shape[0] == 0:
        return 0, (0,) * wanted.group_count, (0,) * wanted.group_count
    j.p = &payload[0]
    j.end = j.p + payload.shape[0]
    j.reason = NULL
    j.repaired = 0
    j.depth = 0
    with nogil:
        status = read_rows(&j, &wanted, &scratch)
        buffer_free(&scratch)
    if status == TS_NO_MEMORY:
        raise MemoryError
    if status != TS_OK:
        return None
    named = tuple([wanted.named[i] for i in range(wanted.group_count)])
    filled = tuple([wanted.filled[i] for i in range(wanted.group_count)])
    return wanted.rows, named, filled
