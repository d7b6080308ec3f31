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
    "error message": SLOT_ERROR_MESSAGE,
    "system": SLOT_SYSTEM,
    "begun": SLOT_BEGUN,
}

FLAGS = {
    "milliseconds": RULE_MILLISECONDS,
    "wrapped": RULE_WRAPPED,
    "json": RULE_JSON,
    "open json": RULE_OPEN_JSON,
    "commas": RULE_COMMAS,
    "whole milliseconds": RULE_WHOLE_MILLISECONDS,
    "time": RULE_TIME,
    "failed": RULE_FAILED,
    "http status": RULE_HTTP_STATUS,
    "messages": RULE_MESSAGES,
    "request": RULE_REQUEST,
    "text": RULE_TEXT,
    "calls": RULE_CALLS,
    "texts of json": RULE_TEXTS_OF_JSON,
}

# Counts that depend on each other, in the order of UsagePart.
PART_NAMES = (
    "prompt_tokens",
    "completion_tokens",
    "tokens",
    "prompt_cached_tokens",
    "prompt_cache_creation_tokens",
    "completion_reasoning_tokens",
)


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
    """The table of conventions as kernels read it.

    Args:
        aggregating: types of spans that repeat what spans below them report.
        wrappers: by the name of a list, the word behind each number of its numbered keys.

    Raises:
        ValueError: from the methods that add, where an attribute comes twice or there are too many.
    """

    def __cinit__(self, aggregating, wrappers):
        memset(&self.table, 0, sizeof(Table))
        self.table.seed = int.from_bytes(os.urandom(8), "little")
        memset(self.table.parts, NO_SLOT, sizeof(self.table.parts))
        self.make_room(4096)
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
        """Adds a slot and returns its number; attributes that are added next tell it."""
        if self.table.slot_count == <uint32_t>MAX_SLOTS:
            raise ValueError(f"cannot add {name!r}: there are {<int>MAX_SLOTS} slots already")
        cdef Slot* slot = &self.table.slots[self.table.slot_count]
        slot.kind = KINDS[kind]
        slot.node = node
        slot.name_start, slot.name_size = self.keep(name)
        self.table.of_kind[<int>slot.kind] |= <uint64_t>1 << self.table.slot_count
        slot.is_count = kind in ("usage", "aggregated") and name.endswith("tokens")
        slot.is_provider = kind == "scalar" and name == "provider"
        if kind == "usage" and name in PART_NAMES:
            self.table.parts[<int>PART_NAMES.index(name)] = <uint8_t>self.table.slot_count
        self.next_slot = <uint8_t>self.table.slot_count
        self.table.slot_count += 1
        return self.next_slot

    def add_attribute(self, name, rank, flags=()):
        """Adds an attribute that tells the slot added last, with the names of its FLAGS."""
        self.add_rule(name, rank, sum(FLAGS[flag] for flag in flags), "")

    def add_members(self, name, members, rank):
        """Lets the members of an object say something; the attribute may be there already.

        Args:
            name: of the attribute.
            members: a number: what its members are called, see `add_member`.
            rank: of what they say.
        """
        cdef bytes data = name.encode()
        cdef Rule* rule = <Rule*>find_rule(&self.table, <const uint8_t*><const char*>data, len(data))
        if rule == NULL:
            self.next_slot = NO_SLOT
            self.add_rule(name, 0, 0, "")
            rule = &self.table.rules[self.table.rule_count - 1]
        rule.members = members
        rule.member_rank = rank

    def add_member(self, members, path, slot, flags=()):
        """Adds a member, by its path, that tells a slot given by number."""
        self.next_slot = slot
        self.add_rule(f"\0{chr(members)}{path}", 0, sum(FLAGS[flag] for flag in flags), "")

    def add_provider_suffix(self, word):
        """Adds a word that is cut, with the dot before it, from names of providers."""
        self.next_slot = NO_SLOT
        self.add_rule(f"\1{word}", 0, 0, "")

    def add_event(self, name, rank):
        """Adds an event whose time tells the slot added last."""
        self.add_rule(f"\2{name}", rank, <int>RULE_TIME, "")

    def add_type(self, name, rank, words, in_json=False):
        """Adds an attribute whose words say what a span is."""
        self.add_rule(name, rank, <int>RULE_TYPE_IN_JSON if in_json else 0, "")
        for word, meaning in words.items():
            flags = <int>RULE_AGGREGATING if meaning in self.aggregating else 0
            self.add_rule(f"{name}\0{word}", rank, flags, meaning)

    def add_numbered(self, prefix, slot, rank, flags=()):
        """Adds the beginning of numbered keys; with a true `slot` their array tells the slot added last."""
        self.new_prefix(prefix, 0)
        cdef Prefix* added = &self.table.prefixes[self.table.prefix_count - 1]
        added.numbered = 1
        added.slot = self.next_slot if slot else <uint8_t>NO_SLOT
        added.rank = rank
        added.flags = sum(FLAGS[flag] for flag in flags)

    def add_prefix(self, prefix, node, flags=()):
        """Adds the beginning of attributes that are copied below a node under the rest of their names."""
        self.new_prefix(prefix, node)
        self.table.prefixes[self.table.prefix_count - 1].flags = sum(FLAGS[flag] for flag in flags)

    def add_name(self, kind, name, meaning):
        """Adds a name of a member, role or part of messages, by the numbers of message_names."""
        cdef Table* t = &self.table
        cdef bytes data = name.encode()
        cdef uint64_t h = hash_bytes(<const uint8_t*><const char*>data, len(data), t.seed + <uint64_t>kind)
        cdef uint32_t at = <uint32_t>h & (NAME_PLACES - 1)
        if 2 * t.name_count >= NAME_PLACES:
            raise ValueError(f"cannot add {name!r}: there are {t.name_count} names already")
        while t.names[at].kind:
            at = (at + 1) & (NAME_PLACES - 1)
        t.names[at].start, t.names[at].size = self.keep(name)
        t.names[at].hash = h
        t.names[at].kind = kind
        t.names[at].meaning = meaning
        t.name_count += 1

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
        # Below it are members, suffixes and events: no attribute's name finds them.
        if data[0] > 2:
            t.attribute_firsts[data[0]] = 1
        return 0

    cdef int make_room(self, uint32_t size) except -1:
        self.table.rules = <Rule*>calloc(size, sizeof(Rule))
        self.table.places = <uint32_t*>calloc(size, sizeof(uint32_t))
        if self.table.rules == NULL or self.table.places == NULL:
            raise MemoryError
        self.table.mask = size - 1
        return 0
