"""Which words stand in which rows: the texts of a segment's columns go in, sorted lists of rows by word come out.

Each distinct text is cut once, by the cutter of `words`. A text may stand in many rows: they are given apart. The table
of words is larger than a processor's cache: words wait until there are some, and what their look-up reads is fetched
meanwhile. What cannot be cut as a search would cut it, a JSON value nested so deeply that a search reads the object
around it as plain text, is noted under the empty word, whose rows may hold any. Linear in the texts, and in the words
of all rows.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from tracestore._native.buffer cimport (
    Buffer,
    buffer_bytes,
    buffer_free,
    buffer_reserve,
    buffer_u32,
    buffer_u64,
    same_bytes,
)
from tracestore._native.hashing cimport hash_bytes
from tracestore._native.json_reader cimport JsonCursor, json_space
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK
from tracestore._native.words cimport (
    ASCII_PARTS,
    OF_RUN,
    SEPARATOR,
    Words,
    find_in_json,
    find_in_text,
)

cdef enum:
    # Brackets around a leaf in the object of its row, at most: limits.MAX_PATH_KEYS, and some.
    BRACKETS_ABOVE = 70
    # The word of rows that may hold any.
    ANY_WORD = 0
    # Equals limits.MAX_LISTED_WORD_BYTES: longer ones are no words that a person types, and are left out.
    MAX_LISTED_BYTES = 128
    FIRST_SLOTS = 1024
    # Hashes of filters: every reader knows this seed.
    FILTER_SEED = 0
    # Bits of a filter's words, and the words of one of its blocks: eight of 32 bits, as Parquet's filters have.
    FILTER_WORDS = 8
    # Words that wait to be looked up: enough to hide a cache miss behind the others, and few enough to stay cached.
    MAX_PENDING = 64
    # The size of what waits as the end of a text; no word is as long.
    END_OF_TEXT = 0xFF
    # Bytes of a word that stand beside its hash, so that comparing a short one reads nothing else.
    HEAD_BYTES = 15
    # What stands for the column of a word or text of several, and of one of none.
    SEVERAL_COLUMNS = 0xFFFF
    NO_COLUMN = 0xFFFE


cdef struct Entry:
    # A word: where its bytes begin, their number, the first of them, and the text that named it last.
    uint64_t hash
    uint32_t start
    uint32_t stamp
    uint8_t[HEAD_BYTES] head
    uint8_t size


cdef struct Pending:
    uint64_t hash
    uint32_t at
    uint32_t stamp
    uint32_t size

cdef extern from * nogil:
    """
    /* Asks for the cache line of an address that is read soon; any address is allowed. */
    static inline void ts_prefetch(const void *p) { __builtin_prefetch(p); }
    """
    void ts_prefetch(const void* p) noexcept

cdef uint32_t[FILTER_WORDS] SALTS
SALTS[:] = [
    0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31,
]


cdef inline void filter_add(uint32_t* bits, uint64_t blocks, uint64_t hashed) noexcept nogil:
    cdef uint32_t* block = bits + FILTER_WORDS * (((hashed >> 32) * blocks) >> 32)
    cdef uint32_t key = <uint32_t>hashed
    cdef int i
    for i in range(FILTER_WORDS):
        block[i] |= (<uint32_t>1) << ((key * SALTS[i]) >> 27)


cdef inline uint16_t merged(uint16_t known, uint16_t column) noexcept nogil:
    # The column of what stands in both.
    if known == NO_COLUMN or known == column:
        return column
    return known if column == NO_COLUMN else SEVERAL_COLUMNS


def filter_hash(const uint8_t[::1] word not None):
    """Returns the hash by which a filter knows a word."""
    return hash_bytes(&word[0] if word.shape[0] else NULL, word.shape[0], FILTER_SEED)


cdef class WordIndex:
    """The words of rows, while they are gathered. One thread at a time.

    Args:
        rows: how many rows there are.
        seed: of the table of words; nobody who sends texts should know it.
    """

    cdef Buffer _bytes
    cdef Buffer _entries
    # Open addressing: a word's number + 1, 0 where a slot is empty.
    cdef Buffer _slots
    # By text: where its words begin in `_words`, an entry more than texts.
    cdef Buffer _texts
    cdef Buffer _words
    # By word: the row, or block of rows, that named it last.
    cdef Buffer _stamps
    cdef Pending[MAX_PENDING] _pending
    cdef uint8_t[MAX_PENDING * MAX_LISTED_BYTES] _pending_bytes
    cdef uint32_t _pending_count
    cdef uint32_t _pending_size
    # Entries as they came, then the texts of each row in one run and where each row's run begins.
    cdef Buffer _entry_rows
    cdef Buffer _entry_texts
    cdef Buffer _row_texts
    cdef Buffer _row_starts
    # As `_texts` and `_words`, of chosen words alone: most rows repeat texts of which none is chosen.
    cdef Buffer _chosen_texts
    cdef Buffer _chosen_words
    # By text: the column that it stands in.
    cdef Buffer _columns
    cdef Buffer _every
    cdef Buffer _scratch
    cdef Words _cutter
    cdef uint64_t _seed
    cdef uint64_t _mask
    cdef int64_t _rows
    cdef int64_t _count
    cdef bint _grouped

    def __cinit__(self, int64_t rows, uint64_t seed):
        if rows < 0 or rows > 0x7FFFFFFF:
            raise ValueError(f"cannot index {rows} rows: want at most 2^31 - 1")
        self._rows = rows
        self._seed = seed
        self._mask = FIRST_SLOTS - 1
        self._cutter.every = &self._every
        if self._begin() != TS_OK:
            raise MemoryError

    cdef int _begin(self) noexcept nogil:
        if buffer_reserve(&self._slots, FIRST_SLOTS * 4) != 0:
            return TS_NO_MEMORY
        memset(self._slots.data, 0, FIRST_SLOTS * 4)
        if buffer_u64(&self._texts, 0) != 0:
            return TS_NO_MEMORY
        return TS_NO_MEMORY if self._word(NULL, 0, hash_bytes(NULL, 0, self._seed)) < 0 else TS_OK

    def __dealloc__(self):
        buffer_free(&self._bytes)
        buffer_free(&self._entries)
        buffer_free(&self._slots)
        buffer_free(&self._texts)
        buffer_free(&self._words)
        buffer_free(&self._stamps)
        buffer_free(&self._entry_rows)
        buffer_free(&self._entry_texts)
        buffer_free(&self._row_texts)
        buffer_free(&self._row_starts)
        buffer_free(&self._chosen_texts)
        buffer_free(&self._chosen_words)
        buffer_free(&self._columns)
        buffer_free(&self._every)
        buffer_free(&self._scratch)
        buffer_free(&self._cutter.folded)

    @property
    def words(self):
        """Returns how many words there are, the empty one included."""
        return self._count

    @property
    def word_bytes(self):
        """Returns the bytes of all words."""
        return self._bytes.size

    cdef int64_t _word(self, const uint8_t* p, uint32_t size, uint64_t hashed) noexcept nogil:
        # The number of a word, a new one for a new word; negative where there is no memory.
        cdef uint64_t at = hashed & self._mask
        cdef uint32_t* slots = <uint32_t*>self._slots.data
        cdef Entry* entry
        cdef uint32_t word
        while slots[at] != 0:
            word = slots[at] - 1
            entry = <Entry*>self._entries.data + word
            if entry.hash == hashed and entry.size == size and self._is(entry, p):
                return word
            at = (at + 1) & self._mask
        if self._bytes.size + size > 0x7FFFFFFF:
            return TS_LIMIT
        if buffer_reserve(&self._entries, sizeof(Entry)) != 0:
            return TS_NO_MEMORY
        entry = <Entry*>self._entries.data + self._count
        entry.hash = hashed
        entry.start = <uint32_t>self._bytes.size
        entry.stamp = 0
        entry.size = <uint8_t>size
        if size:
            memcpy(entry.head, p, size if size < HEAD_BYTES else HEAD_BYTES)
        if buffer_bytes(&self._bytes, p, size) != 0:
            return TS_NO_MEMORY
        self._entries.size = self._entries.size + sizeof(Entry)
        slots[at] = <uint32_t>self._count + 1
        self._count = self._count + 1
        if <uint64_t>self._count * 2 > self._mask and self._grow() != TS_OK:
            return TS_NO_MEMORY
        return self._count - 1

    cdef inline bint _is(self, const Entry* entry, const uint8_t* p) noexcept nogil:
        if entry.size <= HEAD_BYTES:
            return same_bytes(entry.head, p, entry.size)
        return same_bytes(self._bytes.data + entry.start, p, entry.size)

    cdef int _grow(self) noexcept nogil:
        cdef Buffer wider
        cdef uint64_t mask = self._mask * 2 + 1
        cdef const Entry* entries = <const Entry*>self._entries.data
        cdef uint32_t* slots
        cdef uint64_t at
        cdef int64_t word
        memset(&wider, 0, sizeof(wider))
        if buffer_reserve(&wider, (mask + 1) * 4) != 0:
            return TS_NO_MEMORY
        memset(wider.data, 0, (mask + 1) * 4)
        slots = <uint32_t*>wider.data
        for word in range(self._count):
            at = entries[word].hash & mask
            while slots[at] != 0:
                at = (at + 1) & mask
            slots[at] = <uint32_t>word + 1
        buffer_free(&self._slots)
        self._slots = wider
        self._mask = mask
        return TS_OK

    cdef int _cut_json(self, const uint8_t* p, const uint8_t* end) noexcept nogil:
        # Writes the words of a JSON value to `every`; TS_LIMIT where a search may find others in it.
        cdef JsonCursor j
        cdef int status
        self._every.size = 0
        memset(&j, 0, sizeof(j))
        j.p = p
        j.end = end
        j.depth = BRACKETS_ABOVE
        json_space(&j)
        status = find_in_json(&self._cutter, &j, &self._scratch)
        return status if status == TS_OK or status == TS_NO_MEMORY else TS_LIMIT

    cdef int _note(self, const uint8_t* p, uint32_t size, uint32_t stamp) noexcept nogil:
        # Takes one word of a text, in one case.
        cdef Pending* pending
        if size > MAX_LISTED_BYTES:
            return TS_OK
        if self._pending_count == MAX_PENDING and self._settle() != TS_OK:
            return TS_NO_MEMORY
        pending = &self._pending[self._pending_count]
        pending.hash = hash_bytes(p, size, self._seed)
        pending.at = self._pending_size
        pending.size = size
        pending.stamp = stamp
        ts_prefetch(<const uint32_t*>self._slots.data + (pending.hash & self._mask))
        if size:
            memcpy(self._pending_bytes + self._pending_size, p, size)
        self._pending_size = self._pending_size + size
        self._pending_count = self._pending_count + 1
        return TS_OK

    cdef int _end_text(self) noexcept nogil:
        # Notes that the words of a text are all there.
        if self._pending_count == MAX_PENDING and self._settle() != TS_OK:
            return TS_NO_MEMORY
        self._pending[self._pending_count].size = END_OF_TEXT
        self._pending_count = self._pending_count + 1
        return TS_OK

    cdef int _settle(self) noexcept nogil:
        # Looks up the words that wait, in order; each counts once in a text.
        cdef uint32_t count = self._pending_count
        cdef const Pending* pending = self._pending
        cdef Entry* entry
        cdef uint32_t i, slot
        cdef int64_t word
        self._pending_count = 0
        self._pending_size = 0
        for i in range(count):
            if pending[i].size != END_OF_TEXT:
                slot = (<const uint32_t*>self._slots.data)[pending[i].hash & self._mask]
                ts_prefetch(<const Entry*>self._entries.data + (slot - 1 if slot else 0))
        for i in range(count):
            if pending[i].size == END_OF_TEXT:
                if buffer_u64(&self._texts, self._words.size // 4) != 0:
                    return TS_NO_MEMORY
                continue
            word = self._word(self._pending_bytes + pending[i].at, pending[i].size, pending[i].hash)
            if word < 0:
                return TS_NO_MEMORY
            entry = <Entry*>self._entries.data + word
            if entry.stamp != pending[i].stamp:
                entry.stamp = pending[i].stamp
                if buffer_u32(&self._words, <uint32_t>word) != 0:
                    return TS_NO_MEMORY
        return TS_OK

    cdef int _note_every(self, uint32_t stamp) noexcept nogil:
        # Takes the words that the cutter wrote.
        cdef size_t at = 0
        cdef uint32_t size
        cdef int status
        while at < self._every.size:
            memcpy(&size, self._every.data + at, 4)
            status = self._note(self._every.data + at + 4, size, stamp)
            if status != TS_OK:
                return status
            at += 4 + size
        return TS_OK

    cdef int _take_plain(self, const uint8_t* p, const uint8_t* end, uint32_t stamp) noexcept nogil:
        # Takes a text piece by piece: most are letters and digits of ASCII between separators, and one word each.
        cdef uint8_t[MAX_LISTED_BYTES] word
        cdef const uint8_t* first = p
        cdef const uint8_t* start
        cdef uint32_t size
        cdef bint is_word, holds_one
        cdef int status
        while True:
            while p < end and ASCII_PARTS[p[0]] == SEPARATOR:
                p += 1
            if p >= end:
                return TS_OK
            start = p
            size = 0
            holds_one = False
            while p < end and ASCII_PARTS[p[0]] == OF_RUN:
                if size < MAX_LISTED_BYTES:
                    word[size] = p[0] | 0x20 if c'A' <= p[0] <= c'Z' else p[0]
                holds_one = holds_one or p[0] != c'_'
                size += 1
                p += 1
            is_word = p >= end or ASCII_PARTS[p[0]] == SEPARATOR
            while p < end and ASCII_PARTS[p[0]] != SEPARATOR:
                p += 1
            if is_word:
                status = self._note(word, size, stamp) if holds_one else TS_OK
            else:
                self._every.size = 0
                if start[0] >= 0x80 and start > first:
                    # A mark belongs to the separator before it.
                    start -= 1
                status = find_in_text(&self._cutter, start, p)
                if status == TS_OK:
                    status = self._note_every(stamp)
            if status != TS_OK:
                return status

    cdef int _take(self, const uint8_t* p, const uint8_t* end, bint of_json, uint32_t stamp) noexcept nogil:
        cdef int status = TS_OK
        if p < end and not of_json:
            status = self._take_plain(p, end, stamp)
        elif p < end:
            status = self._cut_json(p, end)
            if status == TS_LIMIT:
                # The empty word is the one that may be any.
                status = self._note(NULL, 0, stamp)
            elif status == TS_OK:
                status = self._note_every(stamp)
        return status if status != TS_OK else self._end_text()

    def add_texts(self, const int32_t[::1] offsets not None, const uint8_t[::1] data not None, *, bint of_json):
        """Cuts distinct texts; returns the number of the first, and the others follow.

        Args:
            offsets: where each text begins in `data`, and where the last one ends.
            data: the texts.
            of_json: whether the texts are JSON, of which strings, numbers and booleans count, and keys do not.

        Raises:
            ValueError: where a text lies outside of the data.
        """
        cdef const uint8_t* base = &data[0] if data.shape[0] else NULL
        cdef int64_t first = self._texts.size // 8 - 1
        cdef int64_t count = offsets.shape[0] - 1
        cdef int64_t i
        cdef int status = TS_OK
        if count < 0 or self._grouped or first + count >= 0xFFFFFFFF:
            raise ValueError("cannot index texts: want an offset more than texts, before rows are counted")
        for i in range(count):
            if offsets[i] < 0 or offsets[i] > offsets[i + 1] or offsets[i + 1] > data.shape[0]:
                raise ValueError(f"cannot index texts: text {i} lies outside of the data")
        with nogil:
            for i in range(count):
                status = self._take(base + offsets[i], base + offsets[i + 1], of_json, <uint32_t>(first + i) + 1)
                if status != TS_OK:
                    break
            if status == TS_OK:
                status = self._settle()
        if status != TS_OK:
            raise MemoryError
        return first

    cdef int _note_columns(self) noexcept nogil:
        # Makes room for the column of each text that there is.
        cdef size_t wanted = (self._texts.size // 8 - 1) * 2
        if wanted > self._columns.size and buffer_reserve(&self._columns, wanted - self._columns.size) != 0:
            return TS_NO_MEMORY
        while self._columns.size < wanted:
            (<uint16_t*>(self._columns.data + self._columns.size))[0] = NO_COLUMN
            self._columns.size = self._columns.size + 2
        return TS_OK

    def add_rows(
        self, const int32_t[::1] rows not None, const int32_t[::1] texts not None, int64_t first, uint16_t column
    ):
        """Says which texts stand in which rows of a column: text `first + texts[i]` in row `rows[i]`, ascending.

        Raises:
            ValueError: where there is no such row or text.
        """
        cdef int64_t known = self._texts.size // 8 - 1
        cdef int64_t count = rows.shape[0]
        cdef int64_t i
        cdef uint32_t* to_rows
        cdef uint32_t* to_texts
        cdef uint16_t* columns
        if texts.shape[0] != count or self._grouped or first < 0 or column >= NO_COLUMN:
            raise ValueError("cannot index rows: want a text for each, before rows are counted")
        if buffer_reserve(&self._entry_rows, count * 4) != 0 or buffer_reserve(&self._entry_texts, count * 4) != 0:
            raise MemoryError
        if self._note_columns() != TS_OK:
            raise MemoryError
        columns = <uint16_t*>self._columns.data
        to_rows = <uint32_t*>(self._entry_rows.data + self._entry_rows.size)
        to_texts = <uint32_t*>(self._entry_texts.data + self._entry_texts.size)
        for i in range(count):
            if rows[i] < 0 or rows[i] >= self._rows or texts[i] < 0 or first + texts[i] >= known:
                raise ValueError(f"cannot index rows: entry {i} names no row or text")
            to_rows[i] = <uint32_t>rows[i]
            to_texts[i] = <uint32_t>(first + texts[i])
            columns[to_texts[i]] = merged(columns[to_texts[i]], column)
        self._entry_rows.size += count * 4
        self._entry_texts.size += count * 4

    def add_any(self, const int32_t[::1] rows not None):
        """Says which rows may hold words that no text here tells of."""
        cdef int64_t first = self._texts.size // 8 - 1
        cdef int64_t i
        if self._grouped:
            raise ValueError("cannot index rows: they are counted")
        if buffer_u32(&self._words, ANY_WORD) != 0 or buffer_u64(&self._texts, self._words.size // 4) != 0:
            raise MemoryError
        for i in range(rows.shape[0]):
            if rows[i] < 0 or rows[i] >= self._rows:
                raise ValueError(f"cannot index rows: there is no row {rows[i]}")
            if buffer_u32(&self._entry_rows, <uint32_t>rows[i]) != 0:
                raise MemoryError
            if buffer_u32(&self._entry_texts, <uint32_t>first) != 0:
                raise MemoryError

    cdef int _group(self) noexcept nogil:
        # Puts the texts of each row in one run: a counting sort of the entries.
        cdef int64_t entries = self._entry_rows.size // 4
        cdef uint32_t* rows = <uint32_t*>self._entry_rows.data
        cdef uint32_t* texts = <uint32_t*>self._entry_texts.data
        cdef uint64_t* starts
        cdef uint32_t* grouped
        cdef uint64_t start = 0
        cdef uint64_t count
        cdef int64_t i
        if (
            buffer_reserve(&self._row_starts, (self._rows + 1) * 8) != 0
            or buffer_reserve(&self._row_texts, entries * 4) != 0
        ):
            return TS_NO_MEMORY
        starts = <uint64_t*>self._row_starts.data
        grouped = <uint32_t*>self._row_texts.data
        memset(starts, 0, (self._rows + 1) * 8)
        for i in range(entries):
            starts[rows[i]] += 1
        for i in range(self._rows + 1):
            count = starts[i]
            starts[i] = start
            start += count
        for i in range(entries):
            grouped[starts[rows[i]]] = texts[i]
            starts[rows[i]] += 1
        # Each start has moved to its row's end, which is the next one's start.
        for i in range(self._rows, 0, -1):
            starts[i] = starts[i - 1]
        starts[0] = 0
        buffer_free(&self._entry_rows)
        buffer_free(&self._entry_texts)
        self._grouped = True
        return TS_OK

    cdef int _choose(self, const uint8_t* chosen) noexcept nogil:
        # Gathers the chosen words of each text.
        cdef const uint64_t* text_starts = <const uint64_t*>self._texts.data
        cdef const uint32_t* words = <const uint32_t*>self._words.data
        cdef int64_t texts = self._texts.size // 8 - 1
        cdef uint64_t* starts
        cdef uint32_t* kept
        cdef uint64_t count = 0
        cdef uint64_t at
        cdef int64_t text
        self._chosen_texts.size = 0
        self._chosen_words.size = 0
        if (
            buffer_reserve(&self._chosen_texts, self._texts.size) != 0
            or buffer_reserve(&self._chosen_words, self._words.size) != 0
        ):
            return TS_NO_MEMORY
        starts = <uint64_t*>self._chosen_texts.data
        kept = <uint32_t*>self._chosen_words.data
        starts[0] = 0
        for text in range(texts):
            for at in range(text_starts[text], text_starts[text + 1]):
                if chosen[words[at]]:
                    kept[count] = words[at]
                    count += 1
            starts[text + 1] = count
        return TS_OK

    cdef void _visit(
        self, bint is_chosen, int64_t block_rows, uint64_t* by_word, uint64_t* by_block, int32_t* out
    ) noexcept nogil:
        # Takes each block of rows and each of its words, or chosen ones, once: counts the blocks of each word and the
        # words of each block, or writes the blocks of each word to the places that `by_word` names.
        cdef uint64_t* row_starts = <uint64_t*>self._row_starts.data
        cdef uint32_t* row_texts = <uint32_t*>self._row_texts.data
        cdef uint64_t* text_starts = <uint64_t*>(self._chosen_texts.data if is_chosen else self._texts.data)
        cdef uint32_t* words = <uint32_t*>(self._chosen_words.data if is_chosen else self._words.data)
        cdef uint32_t* stamps = <uint32_t*>self._stamps.data
        cdef uint32_t stamp, word
        cdef int64_t row, block
        cdef uint64_t i, at
        memset(stamps, 0, self._count * 4)
        for row in range(self._rows):
            block = row // block_rows
            stamp = <uint32_t>block + 1
            for i in range(row_starts[row], row_starts[row + 1]):
                for at in range(text_starts[row_texts[i]], text_starts[row_texts[i] + 1]):
                    word = words[at]
                    if stamps[word] == stamp:
                        continue
                    stamps[word] = stamp
                    if out != NULL:
                        out[by_word[word]] = <int32_t>block
                    if by_word != NULL:
                        by_word[word] += 1
                    if by_block != NULL:
                        by_block[block] += 1

    def count_rows(self, uint64_t[::1] counts not None):
        """Writes in how many rows each word stands. No text may be added then.

        Raises:
            ValueError: where there is not one count for each word.
        """
        cdef int status = TS_OK
        if counts.shape[0] != self._count:
            raise ValueError(f"cannot count rows: want {self._count} counts; got {counts.shape[0]}")
        with nogil:
            if not self._grouped:
                status = self._group()
            if status == TS_OK and buffer_reserve(&self._stamps, self._count * 4) != 0:
                status = TS_NO_MEMORY
            if status == TS_OK:
                memset(&counts[0], 0, self._count * 8)
                self._visit(False, 1, &counts[0], NULL, NULL)
        if status != TS_OK:
            raise MemoryError

    def write_words(self, int32_t[::1] offsets not None, uint8_t[::1] data not None):
        """Writes the bytes of all words, one behind the other, and where each begins.

        Raises:
            ValueError: where sizes do not fit together.
        """
        if offsets.shape[0] != self._count + 1 or data.shape[0] != <int64_t>self._bytes.size:
            raise ValueError("cannot write words: sizes do not fit together")
        cdef int64_t word
        for word in range(self._count):
            offsets[word] = <int32_t>(<const Entry*>self._entries.data)[word].start
        offsets[self._count] = <int32_t>self._bytes.size
        if self._bytes.size:
            memcpy(&data[0], self._bytes.data, self._bytes.size)

    def write_prefixes(self, uint64_t[::1] prefixes not None):
        """Writes the first eight bytes of each word as a number, those of shorter ones filled up with zeros.

        Numbers are in the order of the words, but where they are equal.

        Raises:
            ValueError: where there is not one for each word.
        """
        cdef const Entry* entry
        cdef uint64_t prefix
        cdef int64_t word
        cdef int i
        if prefixes.shape[0] != self._count:
            raise ValueError(f"cannot write prefixes: want {self._count}; got {prefixes.shape[0]}")
        for word in range(self._count):
            entry = <const Entry*>self._entries.data + word
            prefix = 0
            for i in range(8):
                prefix = (prefix << 8) | (entry.head[i] if i < entry.size else 0)
            prefixes[word] = prefix

    def write_columns(self, uint16_t[::1] out not None):
        """Writes the column that each word stands in; 2^16 - 1 for a word of several, 2^16 - 2 for one of none.

        Raises:
            ValueError: where there is not one for each word.
        """
        cdef const uint64_t* starts = <const uint64_t*>self._texts.data
        cdef const uint32_t* words = <const uint32_t*>self._words.data
        cdef const uint16_t* columns
        cdef uint64_t text, at
        if out.shape[0] != self._count:
            raise ValueError(f"cannot write columns: want {self._count}; got {out.shape[0]}")
        if self._note_columns() != TS_OK:
            raise MemoryError
        columns = <const uint16_t*>self._columns.data
        with nogil:
            for at in range(<uint64_t>self._count):
                out[at] = NO_COLUMN
            for text in range(self._columns.size // 2):
                for at in range(starts[text], starts[text + 1]):
                    out[words[at]] = merged(out[words[at]], columns[text])

    def write_rows(
        self, const uint8_t[::1] chosen not None, uint64_t[::1] places not None, int32_t[::1] out not None
    ):
        """Writes the rows of chosen words, those of each word in one ascending run.

        Args:
            chosen: for each word whether its rows are wanted.
            places: where each chosen word's run begins in `out`; where it ends, afterwards.
            out: takes the rows: as many as `count_rows` told of all chosen words.

        Raises:
            ValueError: where sizes do not fit together.
        """
        if not self._grouped or chosen.shape[0] != self._count or places.shape[0] != self._count:
            raise ValueError("cannot write rows: count them first, and say of each word whether it is wanted")
        cdef int status
        if out.shape[0] == 0:
            return
        with nogil:
            status = self._choose(&chosen[0])
            if status == TS_OK:
                self._visit(True, 1, &places[0], NULL, &out[0])
        if status != TS_OK:
            raise MemoryError

    def count_blocks(
        self, const uint8_t[::1] chosen not None, int64_t block_rows, uint64_t[::1] counts not None
    ):
        """Writes how many of the chosen words stand in each block of rows.

        Raises:
            ValueError: where sizes do not fit together.
        """
        cdef int status
        self._check_blocks(chosen, block_rows, counts.shape[0])
        if counts.shape[0] == 0:
            return
        with nogil:
            memset(&counts[0], 0, counts.shape[0] * 8)
            status = self._choose(&chosen[0])
            if status == TS_OK:
                self._visit(True, block_rows, NULL, &counts[0], NULL)
        if status != TS_OK:
            raise MemoryError

    def _check_blocks(self, const uint8_t[::1] chosen, int64_t block_rows, int64_t blocks):
        if not self._grouped or chosen.shape[0] != self._count:
            raise ValueError("cannot look at blocks: count rows first, and say of each word whether it is wanted")
        if block_rows <= 0 or blocks != (self._rows + block_rows - 1) // block_rows:
            raise ValueError("cannot look at blocks: there are more or fewer of them")

    def write_filters(
        self,
        const uint8_t[::1] chosen not None,
        int64_t block_rows,
        const int64_t[::1] sizes not None,
        uint32_t[::1] bits not None,
    ):
        """Adds chosen words to a filter for each block of rows.

        Args:
            chosen: for each word whether it is added.
            block_rows: rows of a block.
            sizes: of each block's filter, in parts of 32 bytes.
            bits: takes the filters, one behind the other.

        Raises:
            ValueError: where sizes do not fit together.
        """
        cdef uint64_t* row_starts = <uint64_t*>self._row_starts.data
        cdef uint32_t* row_texts = <uint32_t*>self._row_texts.data
        cdef uint64_t* text_starts
        cdef uint32_t* words
        cdef const Entry* entries = <const Entry*>self._entries.data
        cdef uint64_t i, at, hashed
        cdef uint32_t word
        cdef int64_t row, block
        cdef int64_t first = 0
        cdef int64_t total = 0
        cdef int status
        self._check_blocks(chosen, block_rows, sizes.shape[0])
        for block in range(sizes.shape[0]):
            if sizes[block] <= 0 or sizes[block] > 0x7FFFFFFF:
                raise ValueError("cannot write filters: a block has no room, or too much")
            total += sizes[block]
        if bits.shape[0] != total * FILTER_WORDS:
            raise ValueError("cannot write filters: sizes do not fit together")
        block = 0
        if total == 0:
            return
        with nogil:
            status = self._choose(&chosen[0])
            text_starts = <uint64_t*>self._chosen_texts.data
            words = <uint32_t*>self._chosen_words.data
            for row in range(self._rows if status == TS_OK else 0):
                if row == (block + 1) * block_rows:
                    first += sizes[block]
                    block += 1
                for i in range(row_starts[row], row_starts[row + 1]):
                    for at in range(text_starts[row_texts[i]], text_starts[row_texts[i] + 1]):
                        word = words[at]
                        hashed = hash_bytes(
                            self._bytes.data + entries[word].start, entries[word].size, FILTER_SEED
                        )
                        filter_add(&bits[first * FILTER_WORDS], sizes[block], hashed)
        if status != TS_OK:
            raise MemoryError
