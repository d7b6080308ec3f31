"""Cuts texts into words, by the cutter of `words`, and notes each in a table.

Most of a text are runs of letters and digits of ASCII that nothing joins to what follows: each is a word, and is told
apart 16 bytes at a time. The cutter looks through the rest. Linear in the texts.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from tracestore._native.buffer cimport buffer_free
from tracestore._native.json_reader cimport JsonCursor, json_space
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.word_table cimport (
    MAX_LISTED_BYTES,
    SHORT_BYTES,
    begin_words,
    end_text,
    free_words,
    note_short,
    note_word,
)
from tracestore._native.words cimport ASCII_PARTS, OF_RUN, SEPARATOR, find_in_json, find_in_text

cdef extern from "platform.h" nogil:
    void ts_ascii_marks(
        const uint8_t* p, int blocks, uint64_t* plain, uint64_t* run, uint64_t* separators
    ) noexcept
    void ts_fold_ascii(const uint8_t* p, int size, uint8_t* folded) noexcept
    int ts_ctz64(uint64_t v) noexcept

cdef enum:
    # Brackets around a leaf in the object of its row, at most: limits.MAX_PATH_KEYS, and some.
    BRACKETS_ABOVE = 70
    # Bytes of a text that are told apart at once: a bit each.
    WINDOW_BYTES = 64


cdef struct Window:
    # Some bytes of a text, where they begin in it and where they are read: SHORT_BYTES more than a window may be.
    const uint8_t* start
    const uint8_t* bytes
    uint8_t[WINDOW_BYTES + SHORT_BYTES] copied
    # Which are letters and digits, these and '_', and what is never joined to either. Bits behind the text are unset.
    uint64_t plain
    uint64_t run
    uint64_t separators


cdef int begin_texts(TextWords* words, uint64_t seed) noexcept nogil:
    # Readies what is zero.
    words.cutter.every = &words.every
    return begin_words(&words.table, seed)


cdef void free_texts(TextWords* words) noexcept nogil:
    free_words(&words.table)
    buffer_free(&words.cutter.folded)
    buffer_free(&words.every)
    buffer_free(&words.scratch)


cdef int note_every(TextWords* words, uint32_t text) noexcept nogil:
    # Takes the words that the cutter wrote.
    cdef size_t at = 0
    cdef uint32_t size
    cdef int status
    while at < words.every.size:
        memcpy(&size, words.every.data + at, 4)
        status = note_word(&words.table, words.every.data + at + 4, size, text)
        if status != TS_OK:
            return status
        at += 4 + size
    return TS_OK


cdef void move_window(Window* window, const uint8_t* p, const uint8_t* end, const uint8_t* limit) noexcept nogil:
    cdef uint64_t inside = ~(<uint64_t>0)
    cdef int blocks = WINDOW_BYTES // SHORT_BYTES
    window.start = p
    window.bytes = p
    if limit - p < <int64_t>sizeof(window.copied):
        memset(window.copied, 0, sizeof(window.copied))
        memcpy(window.copied, p, limit - p)
        window.bytes = window.copied
    if end - p < WINDOW_BYTES:
        blocks = <int>(end - p + SHORT_BYTES - 1) // SHORT_BYTES
        inside = ((<uint64_t>1) << (end - p)) - 1
    ts_ascii_marks(window.bytes, blocks, &window.plain, &window.run, &window.separators)
    window.plain &= inside
    window.run &= inside
    window.separators &= inside


cdef int take_long_run(
    TextWords* words, const uint8_t* p, const uint8_t** end, uint32_t text
) noexcept nogil:
    # Takes letters, digits and '_' of ASCII, of which there are more than SHORT_BYTES, if nothing is joined to them.
    # Moves `end` behind what was taken: back to p where that was nothing.
    cdef uint8_t[MAX_LISTED_BYTES] run
    cdef const uint8_t* stop = p
    cdef bint is_word = False
    cdef uint32_t size, i
    while stop < end[0] and ASCII_PARTS[stop[0]] == OF_RUN:
        is_word = is_word or stop[0] != c'_'
        stop += 1
    size = <uint32_t>(stop - p)
    if not ends_word(stop, end[0]):
        end[0] = p
        return TS_OK
    end[0] = stop
    if not is_word or size > MAX_LISTED_BYTES:
        return TS_OK
    for i in range(size):
        run[i] = p[i] | 0x20 if c'A' <= p[i] <= c'Z' else p[i]
    return note_word(&words.table, run, size, text)


cdef inline bint is_joined_over(uint8_t left, uint8_t middle, uint8_t right) noexcept nogil:
    # Rules WB6, WB7, WB11 and WB12 between bytes of ASCII: quotes and stops join letters, or digits, around them.
    cdef bint of_letters = left > c'9' and left != c'_' and right > c'9' and right != c'_'
    cdef bint of_digits = left <= c'9' and right <= c'9'
    if middle == c'.' or middle == c"'":
        return of_letters or of_digits
    return of_letters if middle == c':' else of_digits and (middle == c',' or middle == c';')


cdef inline bint ends_word(const uint8_t* p, const uint8_t* end) noexcept nogil:
    # Whether the run before p is for sure not joined to what follows: separators and ASCII are looked at.
    if p >= end or ASCII_PARTS[p[0]] == SEPARATOR:
        return True
    if p[0] >= 0x80:
        return False
    if p + 1 >= end:
        return True
    if ASCII_PARTS[p[1]] == OF_RUN:
        return not is_joined_over((p - 1)[0], p[0], p[1])
    return p[1] < 0x80


cdef int take_piece(
    TextWords* words, const uint8_t* first, const uint8_t* p, const uint8_t** end, uint32_t text
) noexcept nogil:
    # Cuts what stands from p to the next separator.
    cdef const uint8_t* start = p
    cdef int status
    while p < end[0] and ASCII_PARTS[p[0]] != SEPARATOR:
        p += 1
    end[0] = p
    words.every.size = 0
    if start[0] >= 0x80 and start > first:
        # A mark belongs to what stands before it.
        start -= 1
    status = find_in_text(&words.cutter, start, p)
    return note_every(words, text) if status == TS_OK else status


cdef int take_plain(
    TextWords* words, const uint8_t* p, const uint8_t* end, const uint8_t* limit, uint32_t text
) noexcept nogil:
    cdef uint8_t[SHORT_BYTES] word
    cdef Window window
    cdef const uint8_t* first = p
    cdef const uint8_t* stop
    cdef uint64_t bits
    cdef int64_t at, size
    cdef int status = TS_OK
    move_window(&window, p, end, limit)
    while status == TS_OK and p < end:
        at = p - window.start
        if at >= WINDOW_BYTES:
            move_window(&window, p, end, limit)
            at = 0
        bits = ~window.separators >> at
        if bits == 0:
            p = window.start + WINDOW_BYTES
            continue
        p += ts_ctz64(bits)
        at += ts_ctz64(bits)
        if p >= end:
            break
        bits = ~window.run >> at
        if bits == 0 and at:
            # The rest of it is not in the window.
            move_window(&window, p, end, limit)
            continue
        size = ts_ctz64(bits) if bits else WINDOW_BYTES
        stop = end
        if size == 0 and p[0] < 0x80:
            # A quote or stop, which nothing before it is joined to.
            p += 1
            continue
        if size > SHORT_BYTES:
            status = take_long_run(words, p, &stop, text)
        elif size and (
            (at + size < WINDOW_BYTES and (window.separators >> (at + size)) & 1) or ends_word(p + size, end)
        ):
            stop = p + size
            if (window.plain >> at) & (((<uint64_t>1) << size) - 1):
                ts_fold_ascii(window.bytes + at, <int>size, word)
                status = note_short(&words.table, word, <uint32_t>size, text)
        else:
            stop = p
        if status == TS_OK and stop == p:
            stop = end
            status = take_piece(words, first, p, &stop, text)
        p = stop
    return status


cdef int take_json(TextWords* words, const uint8_t* p, const uint8_t* end, uint32_t text) noexcept nogil:
    cdef JsonCursor j
    cdef int status
    words.every.size = 0
    memset(&j, 0, sizeof(j))
    j.p = p
    j.end = end
    j.depth = BRACKETS_ABOVE
    json_space(&j)
    status = find_in_json(&words.cutter, &j, &words.scratch)
    if status == TS_OK:
        return note_every(words, text)
    # A search may find others in it: the empty word is the one that may be any.
    return status if status == TS_NO_MEMORY else note_word(&words.table, NULL, 0, text)


cdef int take_text(
    TextWords* words, const uint8_t* p, const uint8_t* end, const uint8_t* limit, bint of_json, uint32_t text
) noexcept nogil:
    # Cuts a text and notes its words; memory up to `limit` may be read.
    cdef int status = TS_OK
    if p < end:
        status = take_json(words, p, end, text) if of_json else take_plain(words, p, end, limit, text)
    return end_text(&words.table) if status == TS_OK else status
