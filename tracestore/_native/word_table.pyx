"""The table of words: finds the numbers of words that wait, and gives new words theirs.

A look-up reads a slot, a key of 16 bytes and the text that named the word last; what it reads of all words that wait
is asked for before the first is compared. Linear in the words.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memset

from tracestore._native.buffer cimport (
    Buffer,
    buffer_bytes,
    buffer_free,
    buffer_reserve,
    buffer_u32,
    buffer_u64,
    same_bytes,
)
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK

cdef enum:
    FIRST_SLOTS = 1024
    # Places of the bytes of words are numbers of 31 bits, as Arrow has them.
    MAX_WORD_BYTES = 0x7FFFFFFF


cdef void free_words(WordTable* table) noexcept nogil:
    buffer_free(&table.bytes)
    buffer_free(&table.starts)
    buffer_free(&table.keys)
    buffer_free(&table.named_by)
    buffer_free(&table.slots)
    buffer_free(&table.texts)
    buffer_free(&table.words)


cdef inline bint is_same(const WordTable* table, int64_t word, const Waiting* waiting) noexcept nogil:
    cdef const WordKey* key = <const WordKey*>table.keys.data + word
    cdef const uint32_t* start
    if key.low != waiting.key.low or key.high != waiting.key.high:
        return False
    if waiting.size <= SHORT_BYTES:
        return True
    start = <const uint32_t*>table.starts.data + word
    return start[1] - start[0] == waiting.size and same_bytes(
        table.bytes.data + start[0], table.waiting_bytes + waiting.at, waiting.size
    )


cdef int widen_slots(WordTable* table) noexcept nogil:
    cdef Buffer wider
    cdef uint64_t mask = table.mask * 2 + 1
    cdef const uint64_t* slots = <const uint64_t*>table.slots.data
    cdef uint64_t* moved
    cdef uint64_t slot, at
    memset(&wider, 0, sizeof(wider))
    if buffer_reserve(&wider, (mask + 1) * 8) != 0:
        return TS_NO_MEMORY
    memset(wider.data, 0, (mask + 1) * 8)
    moved = <uint64_t*>wider.data
    for slot in range(table.mask + 1):
        if slots[slot] != 0:
            at = (slots[slot] >> 32) & mask
            while moved[at] != 0:
                at = (at + 1) & mask
            moved[at] = slots[slot]
    buffer_free(&table.slots)
    table.slots = wider
    table.mask = mask
    return TS_OK


cdef int64_t add_word(WordTable* table, const Waiting* waiting, uint64_t at) noexcept nogil:
    # Gives a new word a number and the slot `at`; negative where there is no memory.
    cdef const void* source = &waiting.key
    if waiting.size > SHORT_BYTES:
        source = table.waiting_bytes + waiting.at
    if table.bytes.size + waiting.size > MAX_WORD_BYTES:
        return TS_LIMIT
    if buffer_reserve(&table.starts, 4) != 0 or buffer_reserve(&table.keys, sizeof(WordKey)) != 0:
        return TS_NO_MEMORY
    if buffer_u32(&table.named_by, 0) != 0 or buffer_bytes(&table.bytes, source, waiting.size) != 0:
        return TS_NO_MEMORY
    buffer_u32(&table.starts, <uint32_t>table.bytes.size)
    buffer_bytes(&table.keys, &waiting.key, sizeof(WordKey))
    table.count += 1
    (<uint64_t*>table.slots.data)[at] = (<uint64_t>waiting.hash << 32) | <uint32_t>table.count
    if <uint64_t>table.count * 2 > table.mask and widen_slots(table) != TS_OK:
        return TS_NO_MEMORY
    return table.count - 1


cdef int begin_words(WordTable* table, uint64_t seed) noexcept nogil:
    # Readies a table whose memory is zero. The empty word is the first.
    cdef Waiting* empty = &table.waiting[0]
    table.seed = seed
    table.mask = FIRST_SLOTS - 1
    if buffer_reserve(&table.slots, FIRST_SLOTS * 8) != 0:
        return TS_NO_MEMORY
    memset(table.slots.data, 0, FIRST_SLOTS * 8)
    if buffer_u64(&table.texts, 0) != 0 or buffer_u32(&table.starts, 0) != 0:
        return TS_NO_MEMORY
    empty.hash = <uint32_t>hash_short(table, 0, 0)
    return TS_OK if add_word(table, empty, empty.hash & table.mask) == 0 else TS_NO_MEMORY


cdef inline int64_t number_of(WordTable* table, const Waiting* waiting) noexcept nogil:
    # The number of a word, a new one for a new word; negative where there is no memory.
    cdef const uint64_t* slots = <const uint64_t*>table.slots.data
    cdef uint64_t at = waiting.hash & table.mask
    cdef int64_t word
    while slots[at] != 0:
        if (slots[at] >> 32) == waiting.hash:
            word = <int64_t>(<uint32_t>slots[at]) - 1
            if is_same(table, word, waiting):
                return word
        at = (at + 1) & table.mask
    return add_word(table, waiting, at)


cdef int find_waiting(WordTable* table) noexcept nogil:
    # Looks up the words that wait, in order; each counts once in a text.
    cdef uint32_t count = table.waiting_count
    cdef const Waiting* waiting = table.waiting
    cdef uint32_t* words
    cdef uint32_t* named_by
    cdef uint32_t i, slot
    cdef uint64_t found
    cdef int64_t word
    table.waiting_count = 0
    table.waiting_size = 0
    if buffer_reserve(&table.words, count * 4) != 0 or buffer_reserve(&table.texts, count * 8) != 0:
        return TS_NO_MEMORY
    for i in range(count):
        if waiting[i].size != END_OF_TEXT:
            slot = <uint32_t>(<const uint64_t*>table.slots.data)[waiting[i].hash & table.mask]
            slot = slot - 1 if slot else 0
            ts_prefetch(<const WordKey*>table.keys.data + slot)
            ts_prefetch(<const uint32_t*>table.named_by.data + slot)
    words = <uint32_t*>table.words.data
    found = table.words.size // 4
    for i in range(count):
        if waiting[i].size == END_OF_TEXT:
            buffer_u64(&table.texts, found)
            continue
        word = number_of(table, &waiting[i])
        if word < 0:
            return TS_NO_MEMORY
        named_by = <uint32_t*>table.named_by.data
        words[found] = <uint32_t>word
        found += named_by[word] != waiting[i].text + 1
        named_by[word] = waiting[i].text + 1
    table.words.size = found * 4
    return TS_OK


cdef int end_text(WordTable* table) noexcept nogil:
    # Notes that the words of a text are all there.
    cdef int status
    if table.waiting_count == MAX_WAITING:
        status = find_waiting(table)
        if status != TS_OK:
            return status
    table.waiting[table.waiting_count].size = END_OF_TEXT
    table.waiting_count += 1
    return TS_OK
