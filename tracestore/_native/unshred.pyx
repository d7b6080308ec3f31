"""A builder's rows as JSON: whole, or one subtree of each.

The values of a block of rows are sorted by row; each row's values are hung into the tree of its paths, which
is then written. Time and memory follow the values of a block, not the number of paths.
"""

from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

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
from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_free, buffer_u8
from tracestore._native.builder cimport MAX_LEAF_BYTES, NONE, Builder, State, child_existing, node_key
from tracestore._native.columns cimport RowMap, write_entry
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK
from tracestore._native.tail cimport Item, gather_leaf, sort_items
from tracestore._native.text cimport write_json_string

from tracestore.errors import LimitExceededError

cdef enum:
    # Rows whose values are gathered at once: bounds memory, and amortises the walk over all leaves.
    BLOCK_ROWS = 4096


cdef struct Branch:
    # A node's part in the row under way; valid while `row` is that row's number.
    uint32_t row
    uint32_t first_child
    uint32_t last_child
    uint32_t next_sibling
    # The item at this very path, NONE where there is none.
    uint32_t item


cdef struct Writer:
    State* s
    Branch* branches
    const Item* items
    Buffer out
    # The stored columns that come first in a whole row, as `"name":` texts.
    const Buffer* names
    const uint32_t* name_ends
    # Written node: the root, or a subtree's.
    uint32_t top
    bint whole


cdef void hang(Writer* w, uint32_t node, uint32_t row, uint32_t item) noexcept nogil:
    # Puts an item at its node, and every node above it that is not there yet into the row's tree.
    cdef Branch* b
    cdef uint32_t child = NONE
    cdef bint there
    while True:
        b = &w.branches[node]
        there = b.row == row
        if not there:
            b.row = row
            b.first_child = NONE
            b.next_sibling = NONE
            b.item = NONE
        if child == NONE:
            b.item = item
        elif b.first_child == NONE:
            b.first_child = child
            b.last_child = child
        else:
            w.branches[b.last_child].next_sibling = child
            b.last_child = child
        if there or node == 0:
            return
        child = node
        node = w.s.nodes[node].parent


cdef int write_node(Writer* w, uint32_t node) noexcept nogil:
    # Depth is bounded by limits.MAX_PATH_KEYS.
    cdef const Branch* b = &w.branches[node]
    cdef const Item* item
    cdef uint32_t child = b.first_child
    cdef int status
    if child == NONE:
        item = &w.items[b.item]
        return write_entry(&w.s.leaves[item.leaf], item.entry, &w.out)
    if buffer_u8(&w.out, c'{') != 0:
        return TS_NO_MEMORY
    while child != NONE:
        if child != b.first_child and buffer_u8(&w.out, c',') != 0:
            return TS_NO_MEMORY
        if write_json_string(&w.out, node_key(w.s, child), w.s.nodes[child].key_size) != 0:
            return TS_NO_MEMORY
        if buffer_u8(&w.out, c':') != 0:
            return TS_NO_MEMORY
        status = write_node(w, child)
        if status != TS_OK:
            return status
        child = w.branches[child].next_sibling
    return buffer_u8(&w.out, c'}')


cdef int write_row(Writer* w, uint32_t row, uint32_t start, uint32_t stop, const uint32_t* order) noexcept nogil:
    # The row whose items are order[start:stop]; `row` numbers rows of the builder from 1.
    cdef const Item* item
    cdef uint32_t i, name_start
    cdef bint open = 0
    cdef int status
    for i in range(start, stop):
        item = &w.items[order[i]]
        if w.s.leaves[item.leaf].node == NONE:
            # A stored column; these come before every path in the order of items.
            if buffer_u8(&w.out, c',' if open else c'{') != 0:
                return TS_NO_MEMORY
            open = 1
            name_start = w.name_ends[item.leaf - 1] if item.leaf else 0
            if buffer_bytes(&w.out, w.names.data + name_start, w.name_ends[item.leaf] - name_start) != 0:
                return TS_NO_MEMORY
            if write_entry(&w.s.leaves[item.leaf], item.entry, &w.out) != 0:
                return TS_NO_MEMORY
        else:
            hang(w, w.s.leaves[item.leaf].node, row, order[i])
    if w.branches[w.top].row != row:
        if open:
            return buffer_u8(&w.out, c'}')
        return buffer_bytes(&w.out, b"{}", 2) if w.whole else TS_OK
    if not open:
        return write_node(w, w.top)
    # The root's object goes on behind the columns: its opening brace becomes a comma.
    start = <uint32_t>w.out.size
    status = write_node(w, w.top)
    if status == TS_OK:
        w.out.data[start] = c','
    return status


cdef int write_block(
    Writer* w, uint32_t first, uint32_t stop, Buffer* items, uint8_t separator, int32_t* offsets, uint8_t* bits
) noexcept nogil:
    # Rows [first, stop): each followed by the separator (0 for none); offsets and validity where they are wanted.
    cdef RowMap map
    cdef uint32_t leaf, row, at
    cdef uint32_t* slots
    cdef size_t before
    cdef int status = TS_OK
    memset(&map, 0, sizeof(map))
    map.start = first
    map.stop = stop
    map.rows = stop - first
    items.size = 0
    for leaf in range(w.s.leaf_count):
        if w.s.leaves[leaf].node == NONE and not w.whole:
            continue
        if w.s.leaves[leaf].count:
            status = gather_leaf(w.s, leaf, leaf, &map, items)
            if status != TS_OK:
                return status
    slots = sort_items(items, map.rows)
    if slots == NULL:
        return TS_NO_MEMORY
    w.items = <const Item*>items.data
    at = 0
    for row in range(map.rows):
        before = w.out.size
        status = write_row(w, first + row + 1, at, slots[row], slots + map.rows + 1)
        if status != TS_OK:
            break
        at = slots[row]
        if w.out.size == before and separator:
            status = buffer_bytes(&w.out, b"null", 4)
        if separator and status == TS_OK:
            status = buffer_u8(&w.out, separator)
        if status != TS_OK:
            break
        if offsets != NULL:
            if w.out.size > MAX_LEAF_BYTES:
                status = TS_LIMIT
                break
            offsets[first + row + 1] = <int32_t>w.out.size
            if w.out.size > before:
                bits[(first + row) >> 3] |= <uint8_t>(1 << ((first + row) & 7))
    free(slots)
    return status


cdef int write_rows(Writer* w, uint8_t separator, int32_t* offsets, uint8_t* bits) noexcept nogil:
    cdef Buffer items
    cdef uint32_t first = 0
    cdef uint32_t stop
    cdef int status = TS_OK
    memset(&items, 0, sizeof(items))
    w.branches = <Branch*>calloc(w.s.node_count, sizeof(Branch))
    if w.branches == NULL:
        return TS_NO_MEMORY
    while first < w.s.rows and status == TS_OK:
        stop = first + BLOCK_ROWS if w.s.rows - first > BLOCK_ROWS else w.s.rows
        status = write_block(w, first, stop, &items, separator, offsets, bits)
        first = stop
    buffer_free(&items)
    free(w.branches)
    return status


cdef int writer_init(Writer* w, Builder builder, path, Buffer* names, Buffer* ends) except -1:
    # Returns 1 where the path is in no row.
    cdef bytes key
    memset(w, 0, sizeof(Writer))
    w.s = &builder.state
    w.whole = not path
    for key in path:
        w.top = child_existing(w.s, w.top, key, len(key))
        if w.top == NONE:
            return 1
    for name, _ in builder.spec.stored:
        key = name.encode()
        if write_json_string(names, key, len(key)) != 0 or buffer_u8(names, c':') != 0:
            raise MemoryError
        if buffer_bytes(ends, &names.size, 4) != 0:
            raise MemoryError
    w.names = names
    w.name_ends = <const uint32_t*>ends.data
    return 0


def unshred(Builder builder not None, path):
    """Returns every row, or the value under a path of it, as NDJSON; a missing value is `null`.

    Args:
        path: keys as bytes; empty for whole rows.
    """
    cdef Writer w
    cdef Buffer names, ends
    cdef int status
    memset(&names, 0, sizeof(names))
    memset(&ends, 0, sizeof(ends))
    builder.enter()
    try:
        if writer_init(&w, builder, path, &names, &ends):
            return b"null\n" * builder.state.rows
        with nogil:
            status = write_rows(&w, c'\n', NULL, NULL)
        if status != TS_OK:
            raise MemoryError
        return (<const char*>w.out.data)[: w.out.size]
    finally:
        buffer_free(&w.out)
        buffer_free(&names)
        buffer_free(&ends)
        builder.leave()


def unshred_values(Builder builder not None, path):
    """Returns a batch of one text column `value`: the JSON of each row under a path, null where it is missing.

    Raises:
        LimitExceededError: where the texts would pass 2 GiB.
    """
    cdef Writer w
    cdef Buffer names, ends
    cdef uint32_t rows = builder.state.rows
    cdef ArrowArray* table = array_new(rows, 1, 1)
    cdef ArrowSchema* fields = schema_new(b"+s", b"", 0, 1)
    cdef ArrowArray* column = array_new(rows, 3, 0)
    cdef void* offsets
    cdef void* bits
    cdef int status = TS_OK
    memset(&names, 0, sizeof(names))
    memset(&ends, 0, sizeof(ends))
    memset(&w, 0, sizeof(w))
    builder.enter()
    try:
        if table == NULL or fields == NULL or column == NULL:
            raise MemoryError
        table.children[0] = column
        fields.children[0] = schema_new(b"u", b"value", 5, 0)
        offsets = array_buffer(column, 1, 4 * (<size_t>rows + 1))
        bits = array_buffer(column, 0, (rows + 7) // 8)
        if offsets == NULL or bits == NULL or fields.children[0] == NULL:
            raise MemoryError
        column.null_count = -1
        if not writer_init(&w, builder, path, &names, &ends):
            with nogil:
                status = write_rows(&w, 0, <int32_t*>offsets, <uint8_t*>bits)
        if status == TS_LIMIT:
            raise LimitExceededError("cannot rebuild values: their text would pass 2 GiB; take fewer rows at once")
        if status != TS_OK or (w.out.data == NULL and buffer_u8(&w.out, 0) != 0):
            raise MemoryError
        column.buffers[2] = w.out.data
        w.out.data = NULL
        batch = batch_of(table, fields)
        table = NULL
        fields = NULL
        column = NULL
        return batch
    finally:
        if table != NULL and table.children[0] == NULL:
            array_free(column)
        array_free(table)
        schema_free(fields)
        buffer_free(&w.out)
        buffer_free(&names)
        buffer_free(&ends)
        builder.leave()
