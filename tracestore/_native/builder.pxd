"""The column builder: a tree of paths, and for each path and type the values it had, row by row.

Every leaf is sparse: row numbers beside values, so a rare path costs what its values cost. A value may
stand for a run of rows (a resource's attributes cover all spans below it). Nothing is dense before export.

One appender at a time. Every append goes through `push_*`, which notes the leaf in the row's log: a row
that fails, or a key that comes a second time, is taken back by popping what its log names.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from tracestore._native.buffer cimport (
    Buffer,
    buffer_bytes,
    buffer_f64,
    buffer_i64,
    buffer_u8,
    buffer_u32,
    same_bytes,
)
from tracestore._native.hashing cimport hash_bytes
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK


cdef enum LeafType:
    LEAF_I64 = 0
    LEAF_F64 = 1
    LEAF_BOOL = 2
    LEAF_STR = 3
    LEAF_BIN = 4
    LEAF_JSON = 5
    LEAF_I64_LIST = 6
    LEAF_F64_LIST = 7
    LEAF_BOOL_LIST = 8
    LEAF_STR_LIST = 9
    LEAF_JSON_LIST = 10
    LEAF_TYPES = 11

cdef enum:
    NONE = 0xFFFFFFFF
    # Bytes of one leaf: Arrow's 32-bit offsets end here. Equals limits.MAX_COLUMN_BYTES.
    MAX_LEAF_BYTES = 0x7FFFFFFF
    # Bytes of the names of values past a path limit; each repeats its parent's path.
    MAX_SPILL_NAME_BYTES = 0x10000000
    # Marks an entry of the row's log that names a spilled value.
    LOG_SPILL = 0x80000000


cdef struct Node:
    uint64_t hash
    # Serial of the row that last set this path, and the part of the row's log that its value wrote.
    uint64_t seen
    uint32_t log_start
    uint32_t log_end
    uint32_t key_start
    uint32_t key_size
    uint32_t parent
    uint32_t first_leaf
    # The child that opened the last object here, and the sibling that followed this one: keys repeat
    # in order, so the guess is right nearly always and saves the hash.
    uint32_t guess_first
    uint32_t guess_next
    uint32_t depth
    # Bytes of the path's text form.
    uint32_t text_size


cdef struct Dictionary:
    Buffer bytes
    Buffer ends
    Buffer hashes
    uint32_t* slots
    uint32_t mask
    uint32_t count


cdef struct Leaf:
    uint32_t node
    uint32_t next
    uint32_t count
    uint8_t type
    Buffer rows
    # Rows each entry covers; empty while every entry covers one.
    Buffer runs
    # i64 and f64: 8 bytes an entry or item; bool: one byte; text and bytes: back to back.
    Buffer values
    # Text: end of each entry in `values`. Lists: end of each entry in items.
    Buffer ends
    # str[]: end of each item in `values`. json[]: index of each item in `dictionary`.
    Buffer items
    Dictionary* dictionary


cdef struct Spill:
    # Values whose path came after the path limit: leaf name and JSON text, by row.
    Buffer rows
    Buffer names
    Buffer name_ends
    Buffer values
    Buffer value_ends
    uint32_t count


cdef struct State:
    Node* nodes
    uint32_t node_count
    uint32_t node_capacity
    uint32_t max_paths
    # Bytes of a path's text: leaves repeat it, so a long one under many keys would multiply.
    uint32_t max_path_bytes
    Buffer keys
    uint32_t* slots
    uint32_t slot_mask
    Leaf* leaves
    uint32_t leaf_count
    uint32_t leaf_capacity
    # Leaves [0, fixed_count) are the table's fixed columns, in the order of its specification.
    uint32_t fixed_count
    # Rows committed; the row under way has this number.
    uint32_t rows
    # Rows that the values pushed now cover.
    uint32_t run
    uint64_t serial
    uint64_t seed
    Buffer log
    Spill spill
    uint32_t spill_mark
    uint64_t repaired_strings
    uint64_t spilled_values
    # A hash of what each row was sent as: of spans that came as JSON or OTLP; empty otherwise.
    Buffer digests
    # Held for reuse: two texts under construction.
    Buffer scratch
    Buffer scratch_key


cdef class Builder:
    cdef State state
    cdef readonly object spec
    cdef bint busy
    cdef size_t known_bytes
    cdef int enter(self) except -1
    cdef void leave(self) noexcept


cdef uint64_t key_text_size(const uint8_t* key, size_t size) noexcept nogil
cdef int node_add(State* s, uint32_t parent, const uint8_t* key, size_t size, uint64_t hash) noexcept nogil
cdef int leaf_add(State* s, uint32_t node, int type, uint32_t* leaf) noexcept nogil
cdef int dictionary_intern_bytes(
    Dictionary* d, const uint8_t* p, size_t size, uint64_t seed, uint32_t* index
) noexcept nogil
cdef void dictionary_free(Dictionary* d) noexcept nogil
cdef void leaf_pop(Leaf* leaf) noexcept nogil
cdef void row_undo(State* s, uint32_t start, uint32_t end) noexcept nogil
cdef void row_abort(State* s) noexcept nogil
cdef void rows_truncate(State* s, uint32_t rows) noexcept nogil
cdef int write_path(State* s, uint32_t node, Buffer* out) noexcept nogil
cdef int write_leaf_name(State* s, const Leaf* leaf, Buffer* out) noexcept nogil
cdef int spill_value(
    State* s, uint32_t parent, const uint8_t* key, size_t key_size, const uint8_t* text, size_t size
) noexcept nogil
cdef int spill_named(
    State* s, const uint8_t* path, size_t path_size, const uint8_t* text, size_t size
) noexcept nogil
cdef const char* leaf_type_name(int type) noexcept nogil


cdef inline const uint8_t* node_key(State* s, uint32_t node) noexcept nogil:
    return s.keys.data + s.nodes[node].key_start


cdef inline bint node_is(State* s, uint32_t node, uint32_t parent, const uint8_t* key, size_t size) noexcept nogil:
    cdef Node* n = &s.nodes[node]
    return n.key_size == size and n.parent == parent and same_bytes(s.keys.data + n.key_start, key, size)


cdef inline uint64_t child_hash(State* s, uint32_t parent, const uint8_t* key, size_t size) noexcept nogil:
    return hash_bytes(key, size, s.seed ^ (<uint64_t>parent * <uint64_t>0x9E3779B97F4A7C15))


cdef inline uint32_t child_existing(State* s, uint32_t parent, const uint8_t* key, size_t size) noexcept nogil:
    # The child under a key, NONE where there is none; adds nothing.
    cdef uint64_t h = child_hash(s, parent, key, size)
    cdef uint32_t slot = <uint32_t>h & s.slot_mask
    cdef uint32_t found
    while True:
        found = s.slots[slot]
        if found == 0:
            return NONE
        if s.nodes[found].hash == h and node_is(s, found, parent, key, size):
            return found
        slot = (slot + 1) & s.slot_mask


cdef inline int child_lookup(
    State* s, uint32_t parent, const uint8_t* key, size_t size, uint32_t* child
) noexcept nogil:
    # Finds or adds the child of `parent` under a key. *child is NONE where the path limit forbids it.
    child[0] = child_existing(s, parent, key, size)
    if child[0] != NONE or s.node_count > s.max_paths:
        return TS_OK
    if s.nodes[parent].text_size + key_text_size(key, size) > s.max_path_bytes:
        return TS_OK
    child[0] = s.node_count
    return node_add(s, parent, key, size, child_hash(s, parent, key, size))


cdef inline int child_find(
    State* s, uint32_t parent, uint32_t before, const uint8_t* key, size_t size, uint32_t* child
) noexcept nogil:
    # As child_lookup, with the guess: `before` is the sibling set just before, or NONE for the first.
    cdef uint32_t guess
    cdef int status
    if before == NONE:
        guess = s.nodes[parent].guess_first
    else:
        guess = s.nodes[before].guess_next
    if guess != NONE and node_is(s, guess, parent, key, size):
        child[0] = guess
        return TS_OK
    status = child_lookup(s, parent, key, size, child)
    if status == TS_OK and child[0] != NONE:
        if before == NONE:
            s.nodes[parent].guess_first = child[0]
        else:
            s.nodes[before].guess_next = child[0]
    return status


cdef inline int leaf_of(State* s, uint32_t node, int type, uint32_t* leaf) noexcept nogil:
    cdef uint32_t at = s.nodes[node].first_leaf
    while at != NONE:
        if s.leaves[at].type == type:
            leaf[0] = at
            return TS_OK
        at = s.leaves[at].next
    return leaf_add(s, node, type, leaf)


cdef inline void row_begin(State* s) noexcept nogil:
    s.serial += 1
    s.log.size = 0
    s.spill_mark = s.spill.count


cdef inline void node_enter(State* s, uint32_t node) noexcept nogil:
    # Before a value is set at `node`: a second value of the same row takes back the first.
    cdef Node* n = &s.nodes[node]
    if n.seen == s.serial:
        row_undo(s, n.log_start, n.log_end)
    n = &s.nodes[node]
    n.seen = s.serial
    n.log_start = <uint32_t>(s.log.size >> 2)
    n.log_end = n.log_start


cdef inline void node_leave(State* s, uint32_t node) noexcept nogil:
    s.nodes[node].log_end = <uint32_t>(s.log.size >> 2)


cdef inline int leaf_extend_runs(Leaf* leaf, uint32_t run) noexcept nogil:
    cdef uint32_t _i
    if leaf.runs.size == 0:
        for _i in range(leaf.count):
            if buffer_u32(&leaf.runs, 1) != 0:
                return TS_NO_MEMORY
    return buffer_u32(&leaf.runs, run)


cdef inline int push_entry(State* s, uint32_t at) noexcept nogil:
    # The common end of every push: the entry's row, its run, and the log. The value is already there.
    cdef Leaf* leaf = &s.leaves[at]
    if buffer_u32(&s.log, at) != 0 or buffer_u32(&leaf.rows, s.rows) != 0:
        return TS_NO_MEMORY
    if s.run != 1 or leaf.runs.size:
        if leaf_extend_runs(leaf, s.run) != 0:
            return TS_NO_MEMORY
    leaf.count += 1
    return TS_OK


cdef inline int push_i64(State* s, uint32_t at, int64_t value) noexcept nogil:
    if buffer_i64(&s.leaves[at].values, value) != 0:
        return TS_NO_MEMORY
    return push_entry(s, at)


cdef inline int push_f64(State* s, uint32_t at, double value) noexcept nogil:
    if buffer_f64(&s.leaves[at].values, value) != 0:
        return TS_NO_MEMORY
    return push_entry(s, at)


cdef inline int push_bool(State* s, uint32_t at, bint value) noexcept nogil:
    if buffer_u8(&s.leaves[at].values, value) != 0:
        return TS_NO_MEMORY
    return push_entry(s, at)


cdef inline int push_bytes(State* s, uint32_t at, const void* p, size_t size) noexcept nogil:
    # Text of str and json leaves, bytes of bin leaves.
    cdef Leaf* leaf = &s.leaves[at]
    if leaf.values.size + size > MAX_LEAF_BYTES:
        return TS_LIMIT
    if buffer_bytes(&leaf.values, p, size) != 0 or buffer_u32(&leaf.ends, <uint32_t>leaf.values.size) != 0:
        return TS_NO_MEMORY
    return push_entry(s, at)


cdef inline uint32_t last_end(const Buffer* ends) noexcept nogil:
    cdef uint32_t value = 0
    if ends.size:
        memcpy(&value, ends.data + ends.size - 4, 4)
    return value


cdef inline uint32_t list_items(const Leaf* leaf) noexcept nogil:
    # Items held so far, those of a list under way included.
    if leaf.type == LEAF_STR_LIST or leaf.type == LEAF_JSON_LIST:
        return <uint32_t>(leaf.items.size >> 2)
    if leaf.type == LEAF_BOOL_LIST:
        return <uint32_t>leaf.values.size
    return <uint32_t>(leaf.values.size >> 3)


cdef inline void list_cut(Leaf* leaf, uint32_t items) noexcept nogil:
    # Drops the items from number `items` on.
    if leaf.type == LEAF_STR_LIST or leaf.type == LEAF_JSON_LIST:
        leaf.items.size = <size_t>items << 2
        if leaf.type == LEAF_STR_LIST:
            leaf.values.size = last_end(&leaf.items)
    elif leaf.type == LEAF_BOOL_LIST:
        leaf.values.size = items
    else:
        leaf.values.size = <size_t>items << 3


cdef inline int list_text_item(State* s, uint32_t at, const uint8_t* p, size_t size) noexcept nogil:
    cdef Leaf* leaf = &s.leaves[at]
    cdef uint32_t index
    cdef int status
    if leaf.type == LEAF_JSON_LIST:
        status = dictionary_intern_bytes(leaf.dictionary, p, size, s.seed, &index)
        if status != TS_OK:
            return status
        return buffer_u32(&leaf.items, index)
    if leaf.values.size + size > MAX_LEAF_BYTES:
        return TS_LIMIT
    if buffer_bytes(&leaf.values, p, size) != 0:
        return TS_NO_MEMORY
    return buffer_u32(&leaf.items, <uint32_t>leaf.values.size)


cdef inline int list_commit(State* s, uint32_t at) noexcept nogil:
    cdef Leaf* leaf = &s.leaves[at]
    if buffer_u32(&leaf.ends, list_items(leaf)) != 0:
        return TS_NO_MEMORY
    return push_entry(s, at)
