"""In which rows each word stands: lists of rows by word, or of blocks of rows, and filters of the words of blocks.

The texts of each row are gone through in the order of the rows, and the words of each text. Linear in the words of all
rows.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memmove, memset

from tracestore._native.buffer cimport Buffer, buffer_free, buffer_reserve
from tracestore._native.hashing cimport hash_bytes
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK, TS_SYNTAX
from tracestore._native.word_index cimport WordIndex
from tracestore._native.word_table cimport WordTable

cdef enum:
    # Hashes of filters: every reader knows this seed.
    FILTER_SEED = 0
    # Bits of a filter's words, and the words of one of its blocks: eight of 32 bits, as Parquet's filters have.
    FILTER_WORDS = 8
    # What stands for the size of a block of a word whose rows are not listed.
    NOT_LISTED = 0xFF
    NOT_CHOSEN = 0
    # Blocks are numbers of 31 bits.
    MAX_SHIFT = 30

cdef uint32_t[FILTER_WORDS] SALTS
SALTS[:] = [
    0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31,
]


cdef struct Tally:
    # In how many rows a word stands, and the last of them, + 1.
    uint32_t rows
    uint32_t last


cdef struct Run:
    # Where the last block of a word was written, and which it was, + 1.
    uint32_t place
    uint32_t last


cdef struct Rows:
    # The words of each row: text by text, chosen words alone where some are chosen.
    int64_t rows
    const uint64_t* row_starts
    const uint32_t* row_texts
    const uint64_t* text_starts
    const uint32_t* words
    Buffer chosen_starts
    Buffer chosen_words


cdef Rows rows_of(WordIndex index) noexcept nogil:
    cdef Rows rows
    memset(&rows, 0, sizeof(rows))
    rows.rows = index._rows
    rows.row_starts = <const uint64_t*>index._row_starts.data
    rows.row_texts = <const uint32_t*>index._row_texts.data
    rows.text_starts = <const uint64_t*>index._texts.table.texts.data
    rows.words = <const uint32_t*>index._texts.table.words.data
    return rows


cdef int choose(Rows* rows, const WordTable* table, const uint8_t* marks, uint8_t left_out) noexcept nogil:
    # Gathers the words of each text that have another mark, once: most rows repeat texts that have none.
    cdef int64_t texts = table.texts.size // 8 - 1
    cdef uint64_t* starts
    cdef uint32_t* kept
    cdef uint64_t count = 0
    cdef uint64_t at
    cdef int64_t text
    if (
        buffer_reserve(&rows.chosen_starts, table.texts.size) != 0
        or buffer_reserve(&rows.chosen_words, table.words.size + 4) != 0
    ):
        return TS_NO_MEMORY
    starts = <uint64_t*>rows.chosen_starts.data
    kept = <uint32_t*>rows.chosen_words.data
    starts[0] = 0
    for text in range(texts):
        for at in range(rows.text_starts[text], rows.text_starts[text + 1]):
            kept[count] = rows.words[at]
            count += marks[rows.words[at]] != left_out
        starts[text + 1] = count
    rows.text_starts = starts
    rows.words = kept
    return TS_OK


cdef void free_rows(Rows* rows) noexcept nogil:
    buffer_free(&rows.chosen_starts)
    buffer_free(&rows.chosen_words)


cdef int tally(const Rows* rows, int64_t words, Buffer* counts) noexcept nogil:
    # Counts the rows of each word, which may stand in several texts of a row.
    cdef Buffer tallies
    cdef Tally* of_words
    cdef Tally* known
    cdef int64_t row, word
    cdef uint64_t i, at
    cdef uint32_t text
    memset(&tallies, 0, sizeof(tallies))
    counts.size = 0
    if buffer_reserve(counts, words * 4) != 0 or buffer_reserve(&tallies, words * sizeof(Tally)) != 0:
        return TS_NO_MEMORY
    of_words = <Tally*>tallies.data
    memset(of_words, 0, words * sizeof(Tally))
    for row in range(rows.rows):
        for i in range(rows.row_starts[row], rows.row_starts[row + 1]):
            text = rows.row_texts[i]
            for at in range(rows.text_starts[text], rows.text_starts[text + 1]):
                known = &of_words[rows.words[at]]
                known.rows += known.last != <uint32_t>row + 1
                known.last = <uint32_t>row + 1
    for word in range(words):
        (<uint32_t*>counts.data)[word] = of_words[word].rows
    counts.size = words * 4
    buffer_free(&tallies)
    return TS_OK


def count_rows(WordIndex index not None, uint64_t[::1] counts not None):
    """Writes in how many rows each word stands. No text may be added then.

    Raises:
        ValueError: where there is not one count for each word.
    """
    cdef int64_t words = index._texts.table.count
    cdef Rows rows
    cdef int status = TS_OK
    cdef int64_t word
    if counts.shape[0] != words:
        raise ValueError(f"cannot count rows: want {words} counts; got {counts.shape[0]}")
    with nogil:
        if not index._grouped:
            status = index.group()
        if status == TS_OK:
            rows = rows_of(index)
            status = tally(&rows, words, &index._counts)
        for word in range(words if status == TS_OK else 0):
            counts[word] = (<const uint32_t*>index._counts.data)[word]
    if status != TS_OK:
        raise MemoryError


cdef bint repeats_texts(WordIndex index) noexcept nogil:
    # Whether choosing words of each text pays: it takes memory for all words, and is less than going through the rows
    # where these name the words of texts twice and more.
    cdef const uint32_t* counts = <const uint32_t*>index._counts.data
    cdef uint64_t named = 0
    cdef int64_t word
    for word in range(index._texts.table.count):
        named += counts[word]
    return named > 2 * (index._texts.table.words.size // 4)


cdef int place_runs(
    WordIndex index,
    const int64_t[::1] order,
    const uint8_t[::1] shifts,
    int64_t[::1] starts,
    Run* runs,
    uint8_t* listed,
) noexcept nogil:
    # Gives each listed word room for a number a row. TS_SYNTAX where a word is none, or stands there twice.
    cdef const uint32_t* counts = <const uint32_t*>index._counts.data
    cdef int64_t words = index._texts.table.count
    cdef int64_t i, word
    starts[0] = 0
    memset(listed, NOT_LISTED, words)
    for i in range(order.shape[0]):
        word = order[i]
        starts[i + 1] = starts[i]
        if shifts[i] == NOT_LISTED:
            continue
        if word < 0 or word >= words or listed[word] != NOT_LISTED or shifts[i] > MAX_SHIFT:
            return TS_SYNTAX
        listed[word] = shifts[i]
        runs[word].place = <uint32_t>starts[i] - 1
        runs[word].last = 0
        starts[i + 1] += counts[word]
    return TS_OK


cdef void scatter(const Rows* rows, const uint8_t* shifts, Run* runs, int32_t* out) noexcept nogil:
    # Writes each block of a word once, behind those before it.
    cdef Run* run
    cdef int64_t row
    cdef uint64_t i, at
    cdef uint32_t text, word, block
    for row in range(rows.rows):
        for i in range(rows.row_starts[row], rows.row_starts[row + 1]):
            text = rows.row_texts[i]
            for at in range(rows.text_starts[text], rows.text_starts[text + 1]):
                word = rows.words[at]
                if shifts[word] == NOT_LISTED:
                    continue
                run = &runs[word]
                block = <uint32_t>row >> shifts[word]
                # Without a branch: which words repeat in a block is not foreseen. The first one never does.
                run.place += run.last != block + 1
                run.last = block + 1
                out[run.place] = <int32_t>block


cdef void close_gaps(
    const int64_t[::1] order, const uint8_t[::1] shifts, int64_t[::1] starts, const Run* runs, int32_t* out
) noexcept nogil:
    # Moves each run behind the one before it: there are fewer blocks than rows.
    cdef int64_t to = 0
    cdef int64_t i, size, start
    for i in range(order.shape[0]):
        start = starts[i]
        size = <int64_t>(<uint32_t>(runs[order[i]].place + 1)) - start if shifts[i] != NOT_LISTED else 0
        if size and start != to:
            memmove(out + to, out + start, size * sizeof(int32_t))
        starts[i] = to
        to += size
    starts[order.shape[0]] = to


def write_blocks(
    WordIndex index not None,
    const int64_t[::1] order not None,
    const uint8_t[::1] shifts not None,
    int64_t[::1] starts not None,
    int32_t[::1] out not None,
):
    """Writes the blocks of rows that words stand in, those of each word in one ascending run.

    Args:
        index: whose rows are counted.
        order: the words, in the order of their runs.
        shifts: for each of these the power of two that a block has rows, 255 for a word that is not listed.
        starts: takes where each run begins in `out`, and where the last one ends.
        out: takes the blocks: room for as many as there are rows of listed words.

    Raises:
        ValueError: where sizes do not fit together, or a word is not there or listed twice.
    """
    cdef int64_t words = index._texts.table.count
    cdef Buffer runs
    cdef Buffer listed
    cdef Rows rows
    cdef int status = TS_OK
    cdef int32_t* to = &out[0] if out.shape[0] else NULL
    if <int64_t>index._counts.size != words * 4 or out.shape[0] > 0xFFFFFFFF:
        raise ValueError("cannot write blocks: count rows first, and list fewer than 2^32")
    if shifts.shape[0] != order.shape[0] or starts.shape[0] != order.shape[0] + 1:
        raise ValueError("cannot write blocks: want a size of blocks for each word, and a start more")
    memset(&runs, 0, sizeof(runs))
    memset(&listed, 0, sizeof(listed))
    with nogil:
        rows = rows_of(index)
        if buffer_reserve(&runs, words * sizeof(Run)) != 0 or buffer_reserve(&listed, words) != 0:
            status = TS_NO_MEMORY
        if status == TS_OK:
            status = place_runs(index, order, shifts, starts, <Run*>runs.data, listed.data)
        if status == TS_OK and starts[order.shape[0]] > out.shape[0]:
            status = TS_SYNTAX
        if status == TS_OK and repeats_texts(index):
            status = choose(&rows, &index._texts.table, listed.data, NOT_LISTED)
        if status == TS_OK:
            scatter(&rows, listed.data, <Run*>runs.data, to)
            close_gaps(order, shifts, starts, <const Run*>runs.data, to)
        free_rows(&rows)
        buffer_free(&runs)
        buffer_free(&listed)
    if status == TS_SYNTAX:
        raise ValueError("cannot write blocks: a word is not there or listed twice, or blocks have no room")
    if status != TS_OK:
        raise MemoryError


def filter_hash(const uint8_t[::1] word not None):
    """Returns the hash by which a filter knows a word."""
    return hash_bytes(&word[0] if word.shape[0] else NULL, word.shape[0], FILTER_SEED)


cdef inline void filter_add(uint32_t* bits, uint64_t blocks, uint64_t hashed) noexcept nogil:
    cdef uint32_t* block = bits + FILTER_WORDS * (((hashed >> 32) * blocks) >> 32)
    cdef uint32_t key = <uint32_t>hashed
    cdef int i
    for i in range(FILTER_WORDS):
        block[i] |= (<uint32_t>1) << ((key * SALTS[i]) >> 27)


cdef int check_blocks(WordIndex index, const uint8_t[::1] chosen, int64_t block_rows, int64_t blocks) except -1:
    if not index._grouped or chosen.shape[0] != index._texts.table.count:
        raise ValueError("cannot look at blocks: count rows first, and say of each word whether it is wanted")
    if block_rows <= 0 or blocks != (index._rows + block_rows - 1) // block_rows:
        raise ValueError("cannot look at blocks: there are more or fewer of them")
    return 0


cdef int count_in_blocks(const Rows* rows, int64_t words, int64_t block_rows, uint64_t[::1] counts) noexcept nogil:
    cdef Buffer last
    cdef uint32_t* lasts
    cdef uint32_t text, word, block
    cdef uint64_t i, at
    cdef int64_t row
    memset(&last, 0, sizeof(last))
    if buffer_reserve(&last, words * 4) != 0:
        return TS_NO_MEMORY
    lasts = <uint32_t*>last.data
    memset(lasts, 0, words * 4)
    for row in range(rows.rows):
        block = <uint32_t>(row // block_rows)
        for i in range(rows.row_starts[row], rows.row_starts[row + 1]):
            text = rows.row_texts[i]
            for at in range(rows.text_starts[text], rows.text_starts[text + 1]):
                word = rows.words[at]
                counts[block] += lasts[word] != block + 1
                lasts[word] = block + 1
    buffer_free(&last)
    return TS_OK


def count_blocks(
    WordIndex index not None, const uint8_t[::1] chosen not None, int64_t block_rows, uint64_t[::1] counts not None
):
    """Writes how many of the chosen words stand in each block of rows.

    Raises:
        ValueError: where sizes do not fit together.
    """
    cdef Rows rows
    cdef int status
    check_blocks(index, chosen, block_rows, counts.shape[0])
    if counts.shape[0] == 0:
        return
    with nogil:
        rows = rows_of(index)
        memset(&counts[0], 0, counts.shape[0] * 8)
        status = choose(&rows, &index._texts.table, &chosen[0], NOT_CHOSEN)
        if status == TS_OK:
            status = count_in_blocks(&rows, index._texts.table.count, block_rows, counts)
        free_rows(&rows)
    if status != TS_OK:
        raise MemoryError


cdef void fill_filters(
    const Rows* rows, const WordTable* table, int64_t block_rows, const int64_t[::1] sizes, uint32_t* bits
) noexcept nogil:
    cdef const uint32_t* starts = <const uint32_t*>table.starts.data
    cdef uint64_t i, at, hashed
    cdef uint32_t text, word
    cdef int64_t row
    cdef int64_t block = 0
    for row in range(rows.rows):
        if row == (block + 1) * block_rows:
            bits += sizes[block] * FILTER_WORDS
            block += 1
        for i in range(rows.row_starts[row], rows.row_starts[row + 1]):
            text = rows.row_texts[i]
            for at in range(rows.text_starts[text], rows.text_starts[text + 1]):
                word = rows.words[at]
                hashed = hash_bytes(table.bytes.data + starts[word], starts[word + 1] - starts[word], FILTER_SEED)
                filter_add(bits, sizes[block], hashed)


def write_filters(
    WordIndex index not None,
    const uint8_t[::1] chosen not None,
    int64_t block_rows,
    const int64_t[::1] sizes not None,
    uint32_t[::1] bits not None,
):
    """Adds chosen words to a filter for each block of rows.

    Args:
        index: whose rows are counted.
        chosen: for each word whether it is added.
        block_rows: rows of a block.
        sizes: of each block's filter, in parts of 32 bytes.
        bits: takes the filters, one behind the other.

    Raises:
        ValueError: where sizes do not fit together.
    """
    cdef Rows rows
    cdef int64_t total = 0
    cdef int64_t block
    cdef int status
    check_blocks(index, chosen, block_rows, sizes.shape[0])
    for block in range(sizes.shape[0]):
        if sizes[block] <= 0 or sizes[block] > 0x7FFFFFFF:
            raise ValueError("cannot write filters: a block has no room, or too much")
        total += sizes[block]
    if bits.shape[0] != total * FILTER_WORDS:
        raise ValueError("cannot write filters: sizes do not fit together")
    if total == 0:
        return
    with nogil:
        rows = rows_of(index)
        status = choose(&rows, &index._texts.table, &chosen[0], NOT_CHOSEN)
        if status == TS_OK:
            fill_filters(&rows, &index._texts.table, block_rows, sizes, &bits[0])
        free_rows(&rows)
    if status != TS_OK:
        raise MemoryError
