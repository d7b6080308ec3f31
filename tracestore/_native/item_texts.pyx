"""Members of JSON objects that are texts: of many objects, a column for each key whose values are texts alone.

For lists of objects, whose items are JSON: each distinct item is read once. Linear in the text.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcpy, memset

from tracestore._native.arrow cimport (
    ArrowArray,
    ArrowSchema,
    array_buffer,
    array_free,
    array_new,
    batch_of,
    schema_free,
    schema_new,
)
from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_free, buffer_u32, same_bytes
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_key,
    json_open,
    json_separator,
    json_skip_value,
    json_string,
)
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK

cdef enum:
    MAX_KEYS = 1024


cdef struct Member:
    size_t key_at
    size_t key_size
    # Of the objects that have it: their numbers, ascending, and where each text ends in `texts`.
    Buffer rows
    Buffer ends
    Buffer texts
    uint32_t last
    # Whether it is something else in some object, or twice in one.
    bint refused


cdef struct Members:
    Member* members
    uint32_t count
    uint32_t limit
    # Whether keys beyond the limit were left out.
    bint cut
    Buffer keys
    Buffer key_scratch
    Buffer text_scratch


cdef Member* member_of(Members* m, const Text* key, uint32_t hint, int* status) noexcept nogil:
    # The member of a key, NULL where there is no more room: objects of one list mostly have their keys in one order.
    cdef Member* member
    cdef uint32_t i, at
    for i in range(m.count):
        at = (hint + i) % m.count
        member = &m.members[at]
        if member.key_size == key.size and same_bytes(m.keys.data + member.key_at, key.p, key.size):
            return member
    if m.count == m.limit:
        m.cut = True
        return NULL
    member = &m.members[m.count]
    member.key_at = m.keys.size
    member.key_size = key.size
    member.last = <uint32_t>-1
    # Columns are named by C strings.
    member.refused = key.size and memchr(key.p, 0, key.size) != NULL
    if buffer_bytes(&m.keys, key.p, key.size) != 0:
        status[0] = TS_NO_MEMORY
        return NULL
    m.count += 1
    return member


cdef int read_text(Members* m, Member* member, JsonCursor* j, uint32_t row) noexcept nogil:
    cdef Text text
    cdef int status = json_string(j, &m.text_scratch, &text)
    if status != TS_OK:
        return status
    if j.repaired or (text.size and memchr(text.p, 0, text.size) != NULL):
        # What readers of JSON make of it differs.
        j.repaired = 0
        member.refused = True
        return TS_OK
    if buffer_u32(&member.rows, row) != 0 or buffer_bytes(&member.texts, text.p, text.size) != 0:
        return TS_NO_MEMORY
    return TS_OK if buffer_u32(&member.ends, <uint32_t>member.texts.size) == 0 else TS_NO_MEMORY


cdef int read_object(Members* m, JsonCursor* j, uint32_t row) noexcept nogil:
    cdef Text key
    cdef Member* member
    cdef uint32_t place = 0
    cdef bint more = 1
    cdef int status = json_open(j)
    if status == TS_OK and j.p < j.end and j.p[0] == c'}':
        return TS_OK
    while status == TS_OK and more:
        status = json_key(j, &m.key_scratch, &key)
        if status != TS_OK:
            return status
        if j.repaired:
            # What readers of JSON make of the key differs.
            return TS_LIMIT
        member = member_of(m, &key, place, &status)
        place += 1
        if status != TS_OK:
            return status
        if member != NULL and member.last == row:
            member.refused = True
        if member == NULL or member.refused or j.p >= j.end or j.p[0] != c'"':
            if member != NULL:
                member.refused = True
            status = json_skip_value(j)
        else:
            status = read_text(m, member, j, row)
        if member != NULL:
            member.last = row
        if status == TS_OK:
            status = json_separator(j, c'}', &more)
    return status


cdef int read_objects(
    Members* m, const int32_t* offsets, const uint8_t* data, uint32_t count
) noexcept nogil:
    cdef JsonCursor j
    cdef uint32_t row
    cdef int status
    for row in range(count):
        if offsets[row] == offsets[row + 1] or data[offsets[row]] != c'{':
            continue
        memset(&j, 0, sizeof(j))
        j.p = data + offsets[row]
        j.end = data + offsets[row + 1]
        status = read_object(m, &j, row)
        if status == TS_NO_MEMORY:
            return status
        if status != TS_OK:
            # No JSON, or too deep: what it holds is for nobody to say.
            return TS_LIMIT
    return TS_OK


cdef ArrowArray* texts_of(const Member* member, uint32_t count) noexcept nogil:
    cdef ArrowArray* array = array_new(count, 3, 0)
    cdef uint32_t held = <uint32_t>(member.rows.size >> 2)
    cdef const uint32_t* rows = <const uint32_t*>member.rows.data
    cdef const uint32_t* ends = <const uint32_t*>member.ends.data
    cdef uint8_t* valid
    cdef int32_t* offsets
    cdef void* data
    cdef uint32_t i, row = 0
    if array == NULL:
        return NULL
    valid = <uint8_t*>array_buffer(array, 0, (count + 7) >> 3)
    offsets = <int32_t*>array_buffer(array, 1, (<size_t>count + 1) * 4)
    data = array_buffer(array, 2, member.texts.size)
    if valid == NULL or offsets == NULL or data == NULL:
        array_free(array)
        return NULL
    for i in range(held):
        while row < rows[i]:
            offsets[row + 1] = offsets[row]
            row += 1
        valid[row >> 3] |= <uint8_t>(1 << (row & 7))
        offsets[row + 1] = <int32_t>ends[i]
        row += 1
    while row < count:
        offsets[row + 1] = offsets[row]
        row += 1
    if member.texts.size:
        memcpy(data, member.texts.data, member.texts.size)
    array.null_count = count - held
    return array


cdef int hand_out(
    const Members* m, uint32_t count, uint32_t kept, ArrowArray** table, ArrowSchema** fields
) noexcept nogil:
    cdef const Member* member
    cdef uint32_t i, at = 0
    table[0] = array_new(count, 1, kept)
    fields[0] = schema_new(b"+s", b"", 0, kept)
    if table[0] == NULL or fields[0] == NULL:
        return TS_NO_MEMORY
    for i in range(m.count):
        member = &m.members[i]
        if member.refused:
            continue
        table[0].children[at] = texts_of(member, count)
        fields[0].children[at] = schema_new(b"u", <const char*>m.keys.data + member.key_at, member.key_size, 0)
        if table[0].children[at] == NULL or fields[0].children[at] == NULL:
            return TS_NO_MEMORY
        at += 1
    return TS_OK


cdef void free_members(Members* m) noexcept nogil:
    cdef uint32_t i
    if m.members != NULL:
        for i in range(m.count):
            buffer_free(&m.members[i].rows)
            buffer_free(&m.members[i].ends)
            buffer_free(&m.members[i].texts)
    free(m.members)
    buffer_free(&m.keys)
    buffer_free(&m.key_scratch)
    buffer_free(&m.text_scratch)


def item_texts(const int32_t[::1] offsets not None, const uint8_t[::1] data not None, uint32_t max_keys):
    """Returns the texts of objects' members, other keys, and whether some were left out.

    The texts are a batch with a column for each key, which has one if it is a text in every object that has it; a value
    that is no object has no members.

    Args:
        offsets: where each value begins in `data`, and where the last one ends.
        data: JSON.
        max_keys: distinct keys that are looked at, those that come first.

    Returns:
        The batch, None where some text is no JSON; the keys that are something else than a text in some object, or
        twice in one; whether there were more keys than are looked at.
    """
    cdef uint32_t count = <uint32_t>(offsets.shape[0] - 1)
    cdef Members m
    cdef ArrowArray* table = NULL
    cdef ArrowSchema* fields = NULL
    cdef const uint8_t* bytes = NULL
    cdef uint32_t kept = 0, i
    cdef int status
    if offsets.shape[0] < 1 or max_keys > MAX_KEYS:
        raise ValueError("cannot read items: no offsets, or too many keys")
    for i in range(count):
        if offsets[i] < 0 or offsets[i + 1] < offsets[i]:
            raise ValueError("cannot read items: offsets are out of order")
    if offsets[count] > data.shape[0]:
        raise ValueError("cannot read items: offsets lie behind the data")
    memset(&m, 0, sizeof(m))
    m.limit = max_keys
    m.members = <Member*>calloc(max_keys + 1, sizeof(Member))
    if m.members == NULL:
        raise MemoryError
    if data.shape[0]:
        bytes = &data[0]
    with nogil:
        status = read_objects(&m, &offsets[0], bytes, count)
        if status == TS_OK:
            for i in range(m.count):
                kept += not m.members[i].refused
            status = hand_out(&m, count, kept, &table, &fields)
        if status != TS_OK:
            array_free(table)
            schema_free(fields)
    try:
        if status == TS_NO_MEMORY:
            raise MemoryError
        if status != TS_OK:
            return None, (), False
        others = tuple(
            [
                (<const char*>m.keys.data + m.members[i].key_at)[:m.members[i].key_size]
                for i in range(m.count)
                if m.members[i].refused
            ]
        )
        return batch_of(table, fields), others, bool(m.cut)
    finally:
        free_members(&m)
