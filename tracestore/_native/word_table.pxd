"""The table of words: each word of at most MAX_LISTED_BYTES has a number, in the order in which words come.

The table is larger than a processor's cache: words of texts wait until there are some, and what their look-up reads is
fetched meanwhile.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from tracestore._native.buffer cimport Buffer
from tracestore._native.hashing cimport HASH_K0, HASH_K1, HASH_K2, hash_bytes, hash_fold
from tracestore._native.status cimport TS_OK

cdef extern from "platform.h" nogil:
    void ts_prefetch(const void* p) noexcept

cdef enum:
    # Equals limits.MAX_LISTED_WORD_BYTES: longer ones are no words that a person types, and are left out.
    MAX_LISTED_BYTES = 128
    # Words of at most so many bytes are compared without reading the bytes of all words.
    SHORT_BYTES = 16
    # Words that wait to be looked up: enough to hide a cache miss behind the others, and few enough to stay cached.
    MAX_WAITING = 64
    # The size of what waits as the end of a text; no word is as long.
    END_OF_TEXT = 0xFF


cdef struct WordKey:
    # A short word itself, filled up with zeros; of a longer one its hash, and a number that no text has.
    uint64_t low
    uint64_t high


cdef struct Waiting:
    WordKey key
    uint32_t hash
    # The text that names it.
    uint32_t text
    # Where the bytes of a longer one lie among those that wait.
    uint32_t at
    uint32_t size


cdef struct WordTable:
    uint64_t seed
    int64_t count
    # The bytes of all words, one behind the other, and where each begins: a number more than words.
    Buffer bytes
    Buffer starts
    Buffer keys
    # By word: the text that named it last, + 1.
    Buffer named_by
    # Open addressing: 32 bits of a word's hash and its number + 1, 0 where a slot is empty.
    Buffer slots
    uint64_t mask
    # By text: where its words begin in `words`, a number more than texts. Each word of a text stands there once.
    Buffer texts
    Buffer words
    Waiting[MAX_WAITING] waiting
    uint8_t[MAX_WAITING * MAX_LISTED_BYTES] waiting_bytes
    uint32_t waiting_count
    uint32_t waiting_size


cdef int begin_words(WordTable* table, uint64_t seed) noexcept nogil
cdef void free_words(WordTable* table) noexcept nogil
cdef int find_waiting(WordTable* table) noexcept nogil
cdef int end_text(WordTable* table) noexcept nogil


cdef inline uint64_t hash_short(const WordTable* table, uint64_t low, uint64_t high) noexcept nogil:
    # The seed stands in both factors: no chosen word can make one of them zero.
    cdef uint64_t first = low ^ table.seed ^ <uint64_t>HASH_K0
    cdef uint64_t second = high ^ ((table.seed << 32) | (table.seed >> 32)) ^ <uint64_t>HASH_K1
    return hash_fold(hash_fold(first, second), <uint64_t>HASH_K2)


cdef inline Waiting* wait_for(WordTable* table, uint64_t low, uint64_t high, uint64_t hashed) noexcept nogil:
    # Takes a place, which there must be, for a word.
    cdef Waiting* waiting = &table.waiting[table.waiting_count]
    waiting.key.low = low
    waiting.key.high = high
    waiting.hash = <uint32_t>hashed
    ts_prefetch(<const uint64_t*>table.slots.data + (waiting.hash & table.mask))
    table.waiting_count += 1
    return waiting


cdef inline int note_short(WordTable* table, const uint8_t* word, uint32_t size, uint32_t text) noexcept nogil:
    # Takes a word of a text: SHORT_BYTES of memory, zeros behind the word.
    cdef uint64_t[2] key
    cdef Waiting* waiting
    cdef int status
    if table.waiting_count == MAX_WAITING:
        status = find_waiting(table)
        if status != TS_OK:
            return status
    memcpy(key, word, SHORT_BYTES)
    waiting = wait_for(table, key[0], key[1], hash_short(table, key[0], key[1]))
    waiting.size = size
    waiting.text = text
    return TS_OK


cdef inline int note_word(WordTable* table, const uint8_t* word, uint32_t size, uint32_t text) noexcept nogil:
    # Takes a word of a text, in one case; longer ones are left out.
    cdef uint8_t[SHORT_BYTES] padded
    cdef uint64_t hashed
    cdef Waiting* waiting
    cdef int status
    if size <= SHORT_BYTES:
        memset(padded, 0, SHORT_BYTES)
        if size:
            memcpy(padded, word, size)
        return note_short(table, padded, size, text)
    if size > MAX_LISTED_BYTES:
        return TS_OK
    if table.waiting_count == MAX_WAITING:
        status = find_waiting(table)
        if status != TS_OK:
            return status
    hashed = hash_bytes(word, size, table.seed)
    # No text has a byte of 255.
    waiting = wait_for(table, hashed, ~(<uint64_t>0), hashed)
    waiting.size = size
    waiting.text = text
    waiting.at = table.waiting_size
    memcpy(table.waiting_bytes + table.waiting_size, word, size)
    table.waiting_size += size
    return TS_OK
