"""Which words stand in which texts and rows: the texts of a segment's columns go in.

Each distinct text is cut once. A text may stand in many rows: they are given apart. What cannot be cut as a search
would cut it, a JSON value nested so deeply that a search reads the object around it as plain text, is noted under the
empty word, whose rows may hold any. Linear in the texts and in their rows.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from tracestore._native.buffer cimport Buffer, buffer_free, buffer_reserve, buffer_u32, buffer_u64
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.text_words cimport begin_texts, free_texts, take_text
from tracestore._native.word_table cimport WordTable, find_waiting


cdef inline uint16_t merged(uint16_t known, uint16_t column) noexcept nogil:
    # The column of what stands in both.
    if known == NO_COLUMN or known == column:
        return column
    return known if column == NO_COLUMN else SEVERAL_COLUMNS


cdef inline int64_t known_texts(const WordTable* table) noexcept nogil:
    return table.texts.size // 8 - 1


cdef int note_columns(Buffer* columns, int64_t texts) noexcept nogil:
    # Makes room for the column of each text that there is.
    cdef size_t wanted = texts * 2
    if wanted > columns.size and buffer_reserve(columns, wanted - columns.size) != 0:
        return TS_NO_MEMORY
    while columns.size < wanted:
        (<uint16_t*>(columns.data + columns.size))[0] = NO_COLUMN
        columns.size += 2
    return TS_OK


cdef class WordIndex:
    """The words of rows, while they are gathered. One thread at a time.

    Args:
        rows: how many rows there are.
        seed: of the table of words; nobody who sends texts should know it.
    """

    def __cinit__(self, int64_t rows, uint64_t seed):
        if rows < 0 or rows > 0x7FFFFFFF:
            raise ValueError(f"cannot index {rows} rows: want at most 2^31 - 1")
        self._rows = rows
        if begin_texts(&self._texts, seed) != TS_OK or find_waiting(&self._texts.table) != TS_OK:
            raise MemoryError

    def __dealloc__(self):
        free_texts(&self._texts)
        buffer_free(&self._entry_rows)
        buffer_free(&self._entry_texts)
        buffer_free(&self._row_texts)
        buffer_free(&self._row_starts)
        buffer_free(&self._columns)
        buffer_free(&self._counts)

    @property
    def words(self):
        """Returns how many words there are, the empty one included."""
        return self._texts.table.count

    @property
    def word_bytes(self):
        """Returns the bytes of all words."""
        return self._texts.table.bytes.size

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
        cdef const uint8_t* limit = base + data.shape[0]
        cdef int64_t first = known_texts(&self._texts.table)
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
                status = take_text(
                    &self._texts, base + offsets[i], base + offsets[i + 1], limit, of_json, <uint32_t>(first + i)
                )
                if status != TS_OK:
                    break
            if status == TS_OK:
                status = find_waiting(&self._texts.table)
        if status != TS_OK:
            raise MemoryError
        return first

    def add_rows(
        self, const int32_t[::1] rows not None, const int32_t[::1] texts not None, int64_t first, uint16_t column
    ):
        """Says which texts stand in which rows of a column: text `first + texts[i]` in row `rows[i]`, ascending.

        Raises:
            ValueError: where there is no such row or text.
        """
        cdef int64_t known = known_texts(&self._texts.table)
        cdef int64_t count = rows.shape[0]
        cdef int64_t i
        cdef uint32_t* to_rows
        cdef uint32_t* to_texts
        cdef uint16_t* columns
        if texts.shape[0] != count or self._grouped or first < 0 or column >= NO_COLUMN:
            raise ValueError("cannot index rows: want a text for each, before rows are counted")
        if buffer_reserve(&self._entry_rows, count * 4) != 0 or buffer_reserve(&self._entry_texts, count * 4) != 0:
            raise MemoryError
        if note_columns(&self._columns, known) != TS_OK:
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
        cdef WordTable* table = &self._texts.table
        cdef int64_t first = known_texts(&self._texts.table)
        cdef int64_t i
        if self._grouped:
            raise ValueError("cannot index rows: they are counted")
        if buffer_u32(&table.words, ANY_WORD) != 0 or buffer_u64(&table.texts, table.words.size // 4) != 0:
            raise MemoryError
        for i in range(rows.shape[0]):
            if rows[i] < 0 or rows[i] >= self._rows:
                raise ValueError(f"cannot index rows: there is no row {rows[i]}")
            if buffer_u32(&self._entry_rows, <uint32_t>rows[i]) != 0:
                raise MemoryError
            if buffer_u32(&self._entry_texts, <uint32_t>first) != 0:
                raise MemoryError

    cdef int group(self) noexcept nogil:
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

    def write_words(self, int32_t[::1] offsets not None, uint8_t[::1] data not None):
        """Writes the bytes of all words, one behind the other, and where each begins.

        Raises:
            ValueError: where sizes do not fit together.
        """
        cdef const WordTable* table = &self._texts.table
        if offsets.shape[0] != table.count + 1 or data.shape[0] != <int64_t>table.bytes.size:
            raise ValueError("cannot write words: sizes do not fit together")
        memcpy(&offsets[0], table.starts.data, table.starts.size)
        if table.bytes.size:
            memcpy(&data[0], table.bytes.data, table.bytes.size)

    def write_prefixes(self, uint64_t[::1] prefixes not None):
        """Writes the first eight bytes of each word as a number, those of shorter ones filled up with zeros.

        Numbers are in the order of the words, but where they are equal.

        Raises:
            ValueError: where there is not one for each word.
        """
        cdef const WordTable* table = &self._texts.table
        cdef const uint32_t* starts = <const uint32_t*>table.starts.data
        cdef uint64_t prefix
        cdef uint32_t at
        cdef int64_t word
        if prefixes.shape[0] != table.count:
            raise ValueError(f"cannot write prefixes: want {table.count}; got {prefixes.shape[0]}")
        for word in range(table.count):
            prefix = 0
            for at in range(starts[word], starts[word] + 8):
                prefix = (prefix << 8) | (table.bytes.data[at] if at < starts[word + 1] else 0)
            prefixes[word] = prefix

    def write_columns(self, uint16_t[::1] out not None):
        """Writes the column that each word stands in; 2^16 - 1 for a word of several, 2^16 - 2 for one of none.

        Raises:
            ValueError: where there is not one for each word.
        """
        cdef const WordTable* table = &self._texts.table
        cdef const uint64_t* starts = <const uint64_t*>table.texts.data
        cdef const uint32_t* words = <const uint32_t*>table.words.data
        cdef const uint16_t* columns
        cdef uint64_t text, at
        if out.shape[0] != table.count:
            raise ValueError(f"cannot write columns: want {table.count}; got {out.shape[0]}")
        if note_columns(&self._columns, known_texts(&self._texts.table)) != TS_OK:
            raise MemoryError
        columns = <const uint16_t*>self._columns.data
        with nogil:
            for at in range(<uint64_t>table.count):
                out[at] = NO_COLUMN
            for text in range(self._columns.size // 2):
                for at in range(starts[text], starts[text + 1]):
                    out[words[at]] = merged(out[words[at]], columns[text])
