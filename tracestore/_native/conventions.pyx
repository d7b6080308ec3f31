"""The table of conventions: see conventions.pxd. Built once a process, in Python; read without the GIL."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

import os

from tracestore._native.buffer cimport buffer_bytes, buffer_free, same_bytes
from tracestore._native.hashing cimport hash_bytes

KINDS = {
    "moved": SLOT_MOVED,
    "parsed": SLOT_PARSED,
    "usage": SLOT_USAGE,
    "aggregated": SLOT_AGGREGATED,
    "number": SLOT_NUMBER,
    "scalar": SLOT_SCALAR,
    "type": SLOT_TYPE,
    "evaluation name": SLOT_EVALUATION_NAME,
    "evaluation score": SLOT_EVALUATION_SCORE,
    "error type": SLOT_ERROR_TYPE,
}


cdef int find_prefix(const Table* t, const uint8_t* p, size_t size) noexcept nogil:
    cdef const Prefix* prefix
    cdef uint32_t i
    for i in range(t.prefix_count):
        prefix = &t.prefixes[i]
        if size <= prefix.size or not same_bytes(t.text.data + prefix.start, p, prefix.size):
            continue
        if not prefix.numbered or c'0' <= p[prefix.size] <= c'9':
            return <int>i + 1
    return 0


cdef class Conventions:
    """Is the table of conventions as kernels read it.

    Args:
        aggregating: types of spans that repeat what spans below them report.
        wrappers: by the name of a list, the word behind each number of its numbered keys.

    Raises:
        ValueError: from the methods that add, where an attribute comes twice or there are too many.
    """

    def __cinit__(self, aggregating, wrappers):
        memset(&self.table, 0, sizeof(Table))
        self.table.seed = int.from_bytes(os.urandom(8), "little")
        self.make_room(1024)
        self.next_slot = NO_SLOT
        for name, word in wrappers.items():
            if self.table.wrapper_count == <uint32_t>MAX_PREFIXES:
                raise ValueError("cannot add a list: there are too many")
            wrapper = &self.table.wrappers[self.table.wrapper_count]
            wrapper.list_start, wrapper.list_size = self.keep(name)
            wrapper.word_start, wrapper.word_size = self.keep(word)
            self.table.wrapper_count += 1

    def __init__(self, aggregating, wrappers):
        self.aggregating = frozenset(aggregating)

    def __dealloc__(self):
        free(self.table.rules)
        free(self.table.places)
        buffer_free(&self.table.text)

    def add_slot(self, kind, node, name):
        """Adds a slot; attributes that are added next tell it."""
        if self.table.slot_count == <uint32_t>MAX_SLOTS:
            raise ValueError(f"cannot add {name!r}: there are {<int>MAX_SLOTS} slots already")
        cdef Slot* slot = &self.table.slots[self.table.slot_count]
        slot.kind = KINDS[kind]
        slot.node = node
        slot.name_start, slot.name_size = self.keep(name)
        self.table.of_kind[<int>slot.kind] |= <uint64_t>1 << self.table.slot_count
        self.next_slot = <uint8_t>self.table.slot_count
        self.table.slot_count += 1

    def add_attribute(self, name, rank, milliseconds=False, json=False):
        """Adds an attribute that tells the slot added last: a number of milliseconds, or text that is always JSON."""
        flags = (<int>RULE_MILLISECONDS if milliseconds else 0) | (<int>RULE_JSON if json else 0)
        self.add_rule(name, rank, flags, "")

    def add_type(self, name, rank, words, in_json=False):
        """Adds an attribute whose words say what a span is."""
        self.add_rule(name, rank, <int>RULE_TYPE_IN_JSON if in_json else 0, "")
        for word, meaning in words.items():
            flags = <int>RULE_AGGREGATING if meaning in self.aggregating else 0
            self.add_rule(f"{name}\0{word}", rank, flags, meaning)

    def add_numbered(self, prefix, slot, rank, wrapped):
        """Adds the beginning of numbered keys; with a true `slot` their array tells the slot added last."""
        self.new_prefix(prefix, 0)
        cdef Prefix* added = &self.table.prefixes[self.table.prefix_count - 1]
        added.numbered = 1
        added.slot = self.next_slot if slot else <uint8_t>NO_SLOT
        added.rank = rank
        added.flags = RULE_WRAPPED if wrapped else 0

    def add_prefix(self, prefix, node):
        """Adds the beginning of attributes that are copied below a node under the rest of their names."""
        self.new_prefix(prefix, node)

    cdef object keep(self, text):
        cdef bytes data = text.encode()
        start = self.table.text.size
        if buffer_bytes(&self.table.text, <const char*>data, len(data)) != 0:
            raise MemoryError
        return start, len(data)

    cdef int new_prefix(self, text, node) except -1:
        if self.table.prefix_count == <uint32_t>MAX_PREFIXES:
            raise ValueError(f"cannot add {text!r}: there are {<int>MAX_PREFIXES} prefixes already")
        cdef Prefix* added = &self.table.prefixes[self.table.prefix_count]
        memset(added, 0, sizeof(Prefix))
        added.start, added.size = self.keep(text)
        added.slot = NO_SLOT
        added.node = node
        self.table.prefix_firsts[self.table.text.data[added.start]] = 1
        self.table.prefix_count += 1
        return 0

    cdef int add_rule(self, name, rank, flags, word) except -1:
        cdef Table* t = &self.table
        cdef bytes data = name.encode()
        cdef Rule* rule
        cdef uint32_t at
        if find_rule(t, <const uint8_t*><const char*>data, len(data)) != NULL:
            raise ValueError(f"cannot add {name!r}: it is there already")
        # At most half full, so that a probe is short.
        if 2 * t.rule_count >= t.mask:
            raise ValueError(f"cannot add {name!r}: there are {t.rule_count} attributes already")
        rule = &t.rules[t.rule_count]
        memset(rule, 0, sizeof(Rule))
        rule.key_start, rule.key_size = self.keep(name)
        rule.word_start, rule.word_size = self.keep(word)
        rule.hash = hash_bytes(<const uint8_t*><const char*>data, len(data), t.seed)
        rule.slot = self.next_slot
        rule.rank = rank
        rule.flags = flags
        t.rule_count += 1
        at = <uint32_t>rule.hash & t.mask
        while t.places[at]:
            at = (at + 1) & t.mask
        t.places[at] = t.rule_count
        t.attribute_firsts[data[0]] = 1
        return 0

    cdef int make_room(self, uint32_t size) except -1:
        self.table.rules = <Rule*>calloc(size, sizeof(Rule))
        self.table.places = <uint32_t*>calloc(size, sizeof(uint32_t))
        if self.table.rules == NULL or self.table.places == NULL:
            raise MemoryError
        self.table.mask = size - 1
        return 0
