"""The column builder: see builder.pxd for what it holds and promises.

Native since every value of every row is appended here. Amortised constant time an append; memory is
the values plus 4 bytes a value for its row, about 90 bytes a path and 200 bytes a leaf.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset, strlen

import os

from tracestore._native.buffer cimport (
    Buffer,
    buffer_bytes,
    buffer_free,
    buffer_u8,
    buffer_u32,
    buffer_u64,
    same_bytes,
)
from tracestore._native.hashing cimport hash_bytes
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK
from tracestore._native.text cimport write_json_string

cdef const char** TYPE_NAMES = [
    b"i64", b"f64", b"bool", b"str", b"bin", b"json", b"i64[]", b"f64[]", b"bool[]", b"str[]", b"json[]",
]


cdef const char* leaf_type_name(int type) noexcept nogil:
    return TYPE_NAMES[type]


LEAF_TYPE_NAMES = tuple((<bytes>TYPE_NAMES[i]).decode() for i in range(<int>LEAF_TYPES))


# --- the tree of paths ----------------------------------------------------------------------------


cdef int slots_grow(State* s) noexcept nogil:
    cdef uint32_t size = (s.slot_mask + 1) * 2
    cdef uint32_t* slots = <uint32_t*>calloc(size, 4)
    cdef uint32_t mask = size - 1
    cdef uint32_t node, slot
    if slots == NULL:
        return TS_NO_MEMORY
    for node in range(1, s.node_count):
        slot = <uint32_t>s.nodes[node].hash & mask
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = node
    free(s.slots)
    s.slots = slots
    s.slot_mask = mask
    return TS_OK


cdef uint64_t key_text_size(const uint8_t* key, size_t size) noexcept nogil:
    # Bytes that a key adds to its path's text, the dot and quotes included.
    cdef uint64_t total = size + 3
    cdef size_t i
    for i in range(size):
        if key[i] < 0x20:
            total += 5
        elif key[i] == c'"' or key[i] == c'\\':
            total += 1
    return total


cdef int node_add(State* s, uint32_t parent, const uint8_t* key, size_t size, uint64_t hash) noexcept nogil:
    cdef Node* nodes
    cdef Node* n
    cdef uint32_t capacity, slot
    if s.node_count == s.node_capacity:
        capacity = s.node_capacity * 2 if s.node_capacity else 64
        nodes = <Node*>realloc(s.nodes, capacity * sizeof(Node))
        if nodes == NULL:
            return TS_NO_MEMORY
        s.nodes = nodes
        s.node_capacity = capacity
    # At most half full, so that a probe is short.
    if s.node_count * 2 >= s.slot_mask and slots_grow(s) != 0:
        return TS_NO_MEMORY
    if s.keys.size + size > MAX_LEAF_BYTES:
        return TS_LIMIT
    n = &s.nodes[s.node_count]
    n.hash = hash
    n.seen = 0
    n.log_start = 0
    n.log_end = 0
    n.key_start = <uint32_t>s.keys.size
    n.key_size = <uint32_t>size
    n.parent = parent
    n.first_leaf = NONE
    n.guess_first = NONE
    n.guess_next = NONE
    n.depth = s.nodes[parent].depth + 1 if s.node_count else 0
    n.text_size = s.nodes[parent].text_size + <uint32_t>key_text_size(key, size) if s.node_count else 0
    if buffer_bytes(&s.keys, key, size) != 0:
        return TS_NO_MEMORY
    if s.node_count:
        slot = <uint32_t>hash & s.slot_mask
        while s.slots[slot]:
            slot = (slot + 1) & s.slot_mask
        s.slots[slot] = s.node_count
    s.node_count += 1
    return TS_OK


cdef int leaf_add(State* s, uint32_t node, int type, uint32_t* leaf) noexcept nogil:
    cdef Leaf* leaves
    cdef Leaf* new
    cdef uint32_t capacity
    if s.leaf_count == s.leaf_capacity:
        capacity = s.leaf_capacity * 2 if s.leaf_capacity else 64
        leaves = <Leaf*>realloc(s.leaves, capacity * sizeof(Leaf))
        if leaves == NULL:
            return TS_NO_MEMORY
        s.leaves = leaves
        s.leaf_capacity = capacity
    new = &s.leaves[s.leaf_count]
    memset(new, 0, sizeof(Leaf))
    if type == LEAF_JSON_LIST:
        new.dictionary = <Dictionary*>calloc(1, sizeof(Dictionary))
        if new.dictionary == NULL:
            return TS_NO_MEMORY
    new.node = node
    new.type = type
    if node == NONE:
        new.next = NONE
    else:
        new.next = s.nodes[node].first_leaf
        s.nodes[node].first_leaf = s.leaf_count
    leaf[0] = s.leaf_count
    s.leaf_count += 1
    return TS_OK


cdef bint key_is_bare(const uint8_t* key, size_t size) noexcept nogil:
    cdef size_t i
    cdef uint8_t c
    if size == 0:
        return 0
    for i in range(size):
        c = key[i]
        if c <= 0x20 or c == 0x7F or c == c'.' or c == c':' or c == c'"' or c == c'[' or c == c']' or c == c'\\':
            return 0
    return 1


cdef int write_key(Buffer* out, const uint8_t* key, size_t size) noexcept nogil:
    if key_is_bare(key, size):
        return buffer_bytes(out, key, size)
    return write_json_string(out, key, size)


cdef int write_path(State* s, uint32_t node, Buffer* out) noexcept nogil:
    # Paths are at most limits.MAX_PATH_KEYS deep.
    if s.nodes[node].depth == 0:
        return TS_OK
    if s.nodes[node].depth > 1:
        if write_path(s, s.nodes[node].parent, out) != 0 or buffer_u8(out, c'.') != 0:
            return TS_NO_MEMORY
    return write_key(out, node_key(s, node), s.nodes[node].key_size)


cdef int write_leaf_name(State* s, const Leaf* leaf, Buffer* out) noexcept nogil:
    cdef const char* name = TYPE_NAMES[leaf.type]
    if write_path(s, leaf.node, out) != 0 or buffer_u8(out, c':') != 0:
        return TS_NO_MEMORY
    return buffer_bytes(out, name, strlen(name))


cdef int spill_end(State* s, const uint8_t* text, size_t size) noexcept nogil:
    # The common end: the type every spilled name has, the value, the row.
    cdef Spill* spill = &s.spill
    if (
        buffer_bytes(&spill.names, b":json", 5) != 0
        or buffer_u32(&spill.name_ends, <uint32_t>spill.names.size) != 0
        or buffer_bytes(&spill.values, text, size) != 0
        or buffer_u32(&spill.value_ends, <uint32_t>spill.values.size) != 0
        or buffer_u32(&spill.rows, s.rows) != 0
    ):
        return TS_NO_MEMORY
    if buffer_u32(&s.log, <uint32_t>LOG_SPILL | (spill.count - s.spill_mark)) != 0:
        return TS_NO_MEMORY
    spill.count += 1
    s.spilled_values += 1
    return TS_OK


cdef int spill_named(
    State* s, const uint8_t* path, size_t path_size, const uint8_t* text, size_t size
) noexcept nogil:
    # As spill_value, for a path that is text already.
    if s.spill.names.size + path_size + 8 > MAX_SPILL_NAME_BYTES or s.spill.values.size + size > MAX_LEAF_BYTES:
        return TS_LIMIT
    if buffer_bytes(&s.spill.names, path, path_size) != 0:
        return TS_NO_MEMORY
    return spill_end(s, text, size)


cdef int spill_value(
    State* s, uint32_t parent, const uint8_t* key, size_t key_size, const uint8_t* text, size_t size
) noexcept nogil:
    # Keeps a value that a path limit left without a node: its JSON text under its leaf name.
    cdef Spill* spill = &s.spill
    if spill.names.size + s.nodes[parent].text_size + key_text_size(key, key_size) + 8 > MAX_SPILL_NAME_BYTES:
        return TS_LIMIT
    if spill.values.size + size > MAX_LEAF_BYTES:
        return TS_LIMIT
    if write_path(s, parent, &spill.names) != 0:
        return TS_NO_MEMORY
    if s.nodes[parent].depth and buffer_u8(&spill.names, c'.') != 0:
        return TS_NO_MEMORY
    if write_key(&spill.names, key, key_size) != 0:
        return TS_NO_MEMORY
    return spill_end(s, text, size)


cdef void spill_cut(Spill* spill, uint32_t count) noexcept nogil:
    spill.count = count
    spill.rows.size = <size_t>count << 2
    spill.name_ends.size = <size_t>count << 2
    spill.value_ends.size = <size_t>count << 2
    spill.names.size = last_end(&spill.name_ends)
    spill.values.size = last_end(&spill.value_ends)


# --- dictionaries of json[] items -------------------------------------------------------------------


cdef int dictionary_grow(Dictionary* d) noexcept nogil:
    cdef uint32_t size = (d.mask + 1) * 2 if d.slots != NULL else 16
    cdef uint32_t* slots = <uint32_t*>malloc(<size_t>size * 4)
    cdef uint64_t* hashes = <uint64_t*>d.hashes.data
    cdef uint32_t i, slot
    if slots == NULL:
        return TS_NO_MEMORY
    memset(slots, 0xFF, <size_t>size * 4)
    for i in range(d.count):
        slot = <uint32_t>hashes[i] & (size - 1)
        while slots[slot] != NONE:
            slot = (slot + 1) & (size - 1)
        slots[slot] = i
    free(d.slots)
    d.slots = slots
    d.mask = size - 1
    return TS_OK


cdef int dictionary_intern_bytes(
    Dictionary* d, const uint8_t* p, size_t size, uint64_t seed, uint32_t* index
) noexcept nogil:
    cdef uint64_t h = hash_bytes(p, size, seed)
    cdef uint64_t* hashes
    cdef uint32_t* ends
    cdef uint32_t slot, found, start
    if d.slots == NULL or d.count * 2 >= d.mask:
        if dictionary_grow(d) != 0:
            return TS_NO_MEMORY
    hashes = <uint64_t*>d.hashes.data
    ends = <uint32_t*>d.ends.data
    slot = <uint32_t>h & d.mask
    while True:
        found = d.slots[slot]
        if found == NONE:
            break
        if hashes[found] == h:
            start = ends[found - 1] if found else 0
            if ends[found] - start == size and same_bytes(d.bytes.data + start, p, size):
                index[0] = found
                return TS_OK
        slot = (slot + 1) & d.mask
    if d.bytes.size + size > MAX_LEAF_BYTES:
        return TS_LIMIT
    if (
        buffer_bytes(&d.bytes, p, size) != 0
        or buffer_u32(&d.ends, <uint32_t>d.bytes.size) != 0
        or buffer_u64(&d.hashes, h) != 0
    ):
        return TS_NO_MEMORY
    d.slots[slot] = d.count
    index[0] = d.count
    d.count += 1
    return TS_OK


cdef void dictionary_free(Dictionary* d) noexcept nogil:
    buffer_free(&d.bytes)
    buffer_free(&d.ends)
    buffer_free(&d.hashes)
    free(d.slots)
    memset(d, 0, sizeof(Dictionary))


# --- taking back ------------------------------------------------------------------------------------


cdef void leaf_pop(Leaf* leaf) noexcept nogil:
    cdef int type = leaf.type
    leaf.count -= 1
    leaf.rows.size -= 4
    if leaf.runs.size:
        leaf.runs.size -= 4
    if type <= LEAF_F64:
        leaf.values.size -= 8
    elif type == LEAF_BOOL:
        leaf.values.size -= 1
    else:
        leaf.ends.size -= 4
        if type <= LEAF_JSON:
            leaf.values.size = last_end(&leaf.ends)
        else:
            list_cut(leaf, last_end(&leaf.ends))


cdef void row_undo(State* s, uint32_t start, uint32_t end) noexcept nogil:
    # Pops the values that log entries [start, end) name; they are the last of their leaves.
    cdef uint32_t* log = <uint32_t*>s.log.data
    cdef uint32_t i
    for i in range(start, end):
        if log[i] == NONE:
            continue
        if log[i] & <uint32_t>LOG_SPILL:
            # Out of reach of every row; what comes after it keeps its place.
            (<uint32_t*>s.spill.rows.data)[s.spill_mark + (log[i] & ~<uint32_t>LOG_SPILL)] = NONE
            s.spilled_values -= 1
        else:
            leaf_pop(&s.leaves[log[i]])
        log[i] = NONE


cdef void row_abort(State* s) noexcept nogil:
    row_undo(s, 0, <uint32_t>(s.log.size >> 2))
    s.log.size = 0
    spill_cut(&s.spill, s.spill_mark)


cdef void rows_truncate(State* s, uint32_t rows) noexcept nogil:
    # Takes back every row from number `rows` on: a payload that turned out to be broken.
    cdef uint32_t at, count
    cdef Leaf* leaf
    for at in range(s.leaf_count):
        leaf = &s.leaves[at]
        while leaf.count and last_end(&leaf.rows) >= rows:
            leaf_pop(leaf)
    count = s.spill.count
    while count and (<uint32_t*>s.spill.rows.data)[count - 1] >= rows:
        count -= 1
    for at in range(count, s.spill.count):
        s.spilled_values -= (<uint32_t*>s.spill.rows.data)[at] != NONE
    spill_cut(&s.spill, count)
    s.log.size = 0
    if s.digests.size > 8 * <size_t>rows:
        s.digests.size = 8 * <size_t>rows
    s.rows = rows


# --- lifetime ---------------------------------------------------------------------------------------


cdef void leaf_free(Leaf* leaf) noexcept nogil:
    buffer_free(&leaf.rows)
    buffer_free(&leaf.runs)
    buffer_free(&leaf.values)
    buffer_free(&leaf.ends)
    buffer_free(&leaf.items)
    if leaf.dictionary != NULL:
        dictionary_free(leaf.dictionary)
        free(leaf.dictionary)
        leaf.dictionary = NULL


cdef void state_free(State* s) noexcept nogil:
    cdef uint32_t at
    for at in range(s.leaf_count):
        leaf_free(&s.leaves[at])
    free(s.leaves)
    free(s.nodes)
    free(s.slots)
    buffer_free(&s.keys)
    buffer_free(&s.log)
    buffer_free(&s.digests)
    buffer_free(&s.scratch)
    buffer_free(&s.scratch_key)
    buffer_free(&s.spill.rows)
    buffer_free(&s.spill.names)
    buffer_free(&s.spill.name_ends)
    buffer_free(&s.spill.values)
    buffer_free(&s.spill.value_ends)
    memset(s, 0, sizeof(State))


cdef int state_init(State* s, uint32_t max_paths, uint32_t max_path_bytes, uint64_t seed) noexcept nogil:
    memset(s, 0, sizeof(State))
    s.max_paths = max_paths
    s.max_path_bytes = max_path_bytes
    s.seed = seed
    s.run = 1
    s.slots = <uint32_t*>calloc(64, 4)
    if s.slots == NULL:
        return TS_NO_MEMORY
    s.slot_mask = 63
    return node_add(s, 0, NULL, 0, 0)


cdef size_t leaf_bytes(const Leaf* leaf) noexcept nogil:
    cdef size_t size = sizeof(Leaf) + leaf.rows.capacity + leaf.runs.capacity + leaf.values.capacity
    size += leaf.ends.capacity + leaf.items.capacity
    if leaf.dictionary != NULL:
        size += sizeof(Dictionary) + leaf.dictionary.bytes.capacity + leaf.dictionary.ends.capacity
        size += leaf.dictionary.hashes.capacity + 4 * <size_t>leaf.dictionary.mask
    return size


cdef class Builder:
    """Holds the rows of one table under construction.

    Args:
        spec: the table (tracestore.variant.tables): `.stored`, its (name, kind) columns, `.variants`, and
            `.computed`, the columns that a row of JSON may name though no leaf holds them.
        max_paths: distinct paths held; values of later paths are kept as text.
        max_path_bytes: bytes of a path's text; values under a longer one are kept as text.

    Raises:
        RuntimeError: from any method while another thread is inside one.
    """

    def __cinit__(self, spec, uint32_t max_paths, uint32_t max_path_bytes):
        # Keyed by a secret of the process, so that no sender can choose keys that collide.
        if state_init(&self.state, max_paths, max_path_bytes, int.from_bytes(os.urandom(8), "little")) != 0:
            raise MemoryError
        self.spec = spec
        self.busy = 0
        self.prepare()

    def __dealloc__(self):
        state_free(&self.state)

    def prepare(self):
        """Adds the fixed columns, then the nodes that `tables.pxd` numbers, to an empty state."""
        cdef uint32_t leaf, node
        cdef bytes key
        for _, kind in self.spec.stored:
            if leaf_add(&self.state, NONE, LEAF_TYPE_NAMES.index(kind), &leaf) != 0:
                raise MemoryError
        self.state.fixed_count = self.state.leaf_count
        names = [*self.spec.variants, *(name for name, _ in self.spec.stored), *self.spec.computed]
        for name in names:
            key = name.encode()
            if child_lookup(&self.state, 0, key, len(key), &node) != 0:
                raise MemoryError

    cdef int enter(self) except -1:
        # The GIL guards the flag; the work itself runs without it.
        if self.busy:
            raise RuntimeError("cannot use a shredder from two threads at once: hold a lock around it")
        self.busy = 1
        return 0

    cdef void leave(self) noexcept:
        self.busy = 0

    def clear(self):
        """Empties the builder: rows, paths and counters."""
        cdef uint32_t max_paths = self.state.max_paths
        cdef uint32_t max_path_bytes = self.state.max_path_bytes
        cdef uint64_t seed = self.state.seed
        self.enter()
        try:
            state_free(&self.state)
            if state_init(&self.state, max_paths, max_path_bytes, seed) != 0:
                raise MemoryError
            self.prepare()
        finally:
            self.leave()

    @property
    def rows(self):
        """Returns the rows held."""
        return self.state.rows

    @property
    def spilled_values(self):
        """Returns how many values held only as text since their paths came after the path limit."""
        return self.state.spilled_values

    @property
    def nbytes(self):
        """Returns the bytes of memory held; while another thread appends, those held before."""
        cdef State* s = &self.state
        cdef size_t size = sizeof(State)
        cdef uint32_t at
        # An append moves what this would read; it cannot begin meanwhile, since the GIL is held here.
        if self.busy:
            return self.known_bytes
        size += s.keys.capacity + s.log.capacity + s.scratch.capacity + s.digests.capacity
        size += s.node_capacity * sizeof(Node) + 4 * (<size_t>s.slot_mask + 1)
        size += s.spill.names.capacity + s.spill.values.capacity + 3 * s.spill.rows.capacity
        for at in range(s.leaf_count):
            size += leaf_bytes(&s.leaves[at])
        self.known_bytes = size
        return size

    def leaf_counts(self):
        """Returns (path text, type name, rows) of every leaf that holds a value, unordered."""
        cdef State* s = &self.state
        cdef Buffer text
        cdef uint32_t at, i
        cdef Leaf* leaf
        cdef uint64_t rows
        memset(&text, 0, sizeof(Buffer))
        counts = []
        self.enter()
        try:
            for at in range(s.fixed_count, s.leaf_count):
                leaf = &s.leaves[at]
                if leaf.count == 0:
                    continue
                rows = leaf.count
                if leaf.runs.size:
                    rows = 0
                    for i in range(leaf.count):
                        rows += (<uint32_t*>leaf.runs.data)[i]
                text.size = 0
                if write_path(s, leaf.node, &text) != 0:
                    raise MemoryError
                counts.append(((<char*>text.data)[: text.size].decode(), LEAF_TYPE_NAMES[leaf.type], rows))
        finally:
            buffer_free(&text)
            self.leave()
        return counts
