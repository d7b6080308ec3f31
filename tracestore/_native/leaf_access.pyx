"""Single leaves of the newest rows: their values as Arrow, and values put where rows have none.

For what is computed of a whole request after it was shredded. A path is found by its keys; nothing is added by
looking. Linear in the rows asked for, and in the entries of the leaf that lie among them.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memset

from tracestore._native.arrow cimport ArrowArray, ArrowSchema, array_free, array_new, batch_of, schema_free, schema_new
from tracestore._native.buffer cimport Buffer, buffer_f64, buffer_free, buffer_u8, buffer_u32
from tracestore._native.builder cimport (
    LEAF_F64,
    LEAF_STR,
    NONE,
    Builder,
    Leaf,
    State,
    child_existing,
    child_lookup,
    last_end,
    leaf_of,
    leaf_pop,
    push_bytes,
    push_f64,
    row_begin,
)
from tracestore._native.columns cimport RowMap, leaf_column
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK


cdef uint32_t node_of(State* s, tuple keys):
    # The node of a path, NONE where there is none.
    cdef uint32_t node = 0
    cdef bytes key
    for key in keys:
        node = child_existing(s, node, <const uint8_t*>(<char*>key), len(key))
        if node == NONE:
            return NONE
    return node


def leaf_values(Builder builder not None, tuple keys not None, int leaf_type, uint32_t start, uint32_t stop):
    """Returns rows [start, stop) of a leaf as a batch of one child, None where there is no such leaf."""
    cdef State* s = &builder.state
    cdef uint32_t node = node_of(s, keys)
    cdef uint32_t at = NONE
    cdef RowMap map
    cdef ArrowArray* table
    cdef ArrowSchema* fields
    cdef int status = TS_NO_MEMORY
    if start > stop or stop > s.rows:
        raise ValueError(f"cannot read rows {start} to {stop}")
    if node != NONE:
        at = s.nodes[node].first_leaf
        while at != NONE and s.leaves[at].type != leaf_type:
            at = s.leaves[at].next
    if at == NONE or s.leaves[at].count == 0:
        return None
    table = array_new(stop - start, 1, 1)
    fields = schema_new(b"+s", b"", 0, 1)
    memset(&map, 0, sizeof(map))
    map.start = start
    map.stop = stop
    map.rows = stop - start
    builder.enter()
    with nogil:
        if table != NULL and fields != NULL:
            status = leaf_column(s, &s.leaves[at], &map, b"value", 5, False, &table.children[0], &fields.children[0])
        if status != TS_OK:
            array_free(table)
            schema_free(fields)
    builder.leave()
    if status != TS_OK:
        raise MemoryError
    return batch_of(table, fields)


cdef int note_taken(State* s, uint32_t node, uint32_t start, Buffer* taken) noexcept nogil:
    # Marks which rows from `start` on have a value at a node, of whatever type; a byte a row.
    cdef uint32_t at = s.nodes[node].first_leaf
    cdef uint32_t entry, _row
    cdef Leaf* leaf
    taken.size = 0
    for _row in range(start, s.rows):
        if buffer_u8(taken, 0) != 0:
            return TS_NO_MEMORY
    while at != NONE:
        leaf = &s.leaves[at]
        entry = leaf.count
        while entry and (<uint32_t*>leaf.rows.data)[entry - 1] >= start:
            entry -= 1
            taken.data[(<uint32_t*>leaf.rows.data)[entry] - start] = 1
        at = leaf.next
    return TS_OK


cdef int put(
    State* s, uint32_t at, uint32_t start, const int64_t* rows, const double* values, uint32_t count,
    const uint8_t* text, size_t size, const uint8_t* taken, uint32_t* done
) noexcept nogil:
    # Entries of a leaf stand in the order of rows: those from `start` on are taken out, and put back among the others.
    cdef Leaf* leaf = &s.leaves[at]
    cdef Buffer old_rows
    cdef Buffer old_values
    cdef uint32_t all_rows = s.rows
    cdef uint32_t i = 0, j, old
    cdef int64_t row
    cdef int status = TS_OK
    if text != NULL and leaf.count and last_end(&leaf.rows) >= start:
        return TS_OK
    memset(&old_rows, 0, sizeof(Buffer))
    memset(&old_values, 0, sizeof(Buffer))
    while status == TS_OK and leaf.type == LEAF_F64 and leaf.count and last_end(&leaf.rows) >= start:
        if buffer_u32(&old_rows, last_end(&leaf.rows)) != 0:
            status = TS_NO_MEMORY
        elif buffer_f64(&old_values, (<double*>leaf.values.data)[leaf.count - 1]) != 0:
            status = TS_NO_MEMORY
        else:
            leaf_pop(leaf)
    old = <uint32_t>(old_rows.size >> 2)
    row_begin(s)
    while status == TS_OK and (i < count or old):
        j = (<uint32_t*>old_rows.data)[old - 1] if old else NONE
        if i < count and rows[i] < <int64_t>j:
            row = rows[i]
            i += 1
            if taken[row - start]:
                continue
            s.rows = <uint32_t>row
            if text == NULL:
                status = push_f64(s, at, values[i - 1])
            else:
                status = push_bytes(s, at, text, size)
            done[0] += 1
        else:
            s.rows = j
            status = push_f64(s, at, (<double*>old_values.data)[old - 1])
            old -= 1
    s.rows = all_rows
    s.log.size = 0
    buffer_free(&old_rows)
    buffer_free(&old_values)
    return status


def put_values(
    Builder builder not None,
    tuple keys not None,
    uint32_t start,
    const int64_t[::1] rows not None,
    const double[::1] values not None,
    text,
):
    """Gives rows a number, or all of them one text, at a path where they have nothing; returns how many took it.

    Args:
        builder: whose newest rows they are.
        keys: of the path.
        start: where the rows begin that may have values there; all given rows are behind it.
        rows: numbers of rows, ascending.
        values: a number for each row; empty where `text` is given.
        text: bytes, or None. Where a row from `start` on has a text there, no row takes it.

    Raises:
        MemoryError: some rows may have taken it.
    """
    cdef State* s = &builder.state
    cdef uint32_t node = 0
    cdef uint32_t at = 0
    cdef uint32_t done = 0
    cdef uint32_t count = <uint32_t>rows.shape[0]
    cdef bytes key
    cdef bytes text_bytes = text
    cdef const uint8_t* p = NULL
    cdef size_t size = 0
    cdef const double* given = NULL
    cdef Buffer taken
    cdef int status = TS_OK
    cdef uint32_t i
    if count == 0:
        return 0
    if text is None and values.shape[0] != rows.shape[0]:
        raise ValueError(f"cannot put values: {values.shape[0]} for {rows.shape[0]} rows")
    for i in range(count):
        if rows[i] < start or rows[i] >= s.rows or (i and rows[i] <= rows[i - 1]):
            raise ValueError(f"cannot put values: row {rows[i]} is out of its place")
    if text is None:
        given = &values[0]
    else:
        p = <const uint8_t*>(<char*>text_bytes)
        size = len(text_bytes)
    memset(&taken, 0, sizeof(Buffer))
    builder.enter()
    try:
        for key in keys:
            if child_lookup(s, node, <const uint8_t*>(<char*>key), len(key), &node) != TS_OK:
                raise MemoryError
            if node == NONE:
                return 0
        if leaf_of(s, node, LEAF_F64 if text is None else LEAF_STR, &at) != TS_OK:
            raise MemoryError
        if s.leaves[at].runs.size:
            return 0
        with nogil:
            status = note_taken(s, node, start, &taken)
            if status == TS_OK:
                status = put(
                    s, at, start, &rows[0], given, count, p, size, taken.data, &done
                )
        buffer_free(&taken)
    finally:
        builder.leave()
    if status != TS_OK:
        raise MemoryError
    return done
