"""Words of texts: cut as Unicode cuts them (UAX 29), in one case; and which of some words stand in texts or JSON.

A word is what stands between two word boundaries and holds a letter or a digit. Of Chinese and Japanese each character
is one. Of JSON the strings, numbers and booleans count, each as a text of its own; keys do not. Linear in the text.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from tracestore._native.buffer cimport Buffer, buffer_free, buffer_reserve, copy_bytes
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_fail,
    json_key,
    json_literal,
    json_open,
    json_separator,
    json_space,
    json_string,
)
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.text cimport utf8_append, utf8_sequence

cdef extern from "word_break.h" nogil:
    const int32_t ts_word_classes[][3]
    const int32_t ts_word_folds[][2]
    const int TS_WORD_CLASSES "(int)(sizeof(ts_word_classes) / sizeof(ts_word_classes[0]))"
    const int TS_WORD_FOLDS "(int)(sizeof(ts_word_folds) / sizeof(ts_word_folds[0]))"

cdef enum:
    MAX_CODE = 0x110000
    # Past the last character that has another case.
    MAX_CASED = 0x20000

# In the order of CLASSES in tests/kernels/write_word_break.py.
cdef enum:
    OTHER = 0
    LETTER
    HEBREW
    NUMERIC
    KATAKANA
    EXTEND_NUM
    MID_LETTER
    MID_NUM
    MID_NUM_LETTER
    SINGLE_QUOTE
    DOUBLE_QUOTE
    EXTEND
    FORMAT
    JOINER
    SPACE
    CR
    LF
    NEWLINE
    REGIONAL
    CLASS_BITS = 31
    OF_WORDS = 32
    PICTOGRAPH = 64
    # What has no class: the ends of a text.
    NOTHING = 255

cdef uint8_t[MAX_CODE] CLASSES
cdef int32_t[MAX_CASED] FOLDS


cdef inline bint is_of_run(int kind) noexcept nogil:
    # Any two of these are joined (WB5, WB8 to WB10, WB13a and WB13b), but that Hebrew has rules of its own.
    return kind == LETTER or kind == NUMERIC or kind == EXTEND_NUM


cdef inline bint is_separator(int kind) noexcept nogil:
    return kind == OTHER or kind == SPACE or is_line_end(kind)


cdef void fill_tables() noexcept nogil:
    cdef int i
    cdef int32_t code
    for i in range(TS_WORD_CLASSES):
        for code in range(ts_word_classes[i][0], ts_word_classes[i][1] + 1):
            CLASSES[code] = <uint8_t>ts_word_classes[i][2]
    for code in range(128):
        if is_of_run(CLASSES[code] & CLASS_BITS):
            ASCII_PARTS[code] = OF_RUN
        elif is_separator(CLASSES[code] & CLASS_BITS):
            ASCII_PARTS[code] = SEPARATOR
    for i in range(TS_WORD_FOLDS):
        if ts_word_folds[i][0] < MAX_CASED:
            FOLDS[ts_word_folds[i][0]] = ts_word_folds[i][1]


cdef inline uint32_t code_at(const uint8_t* p, const uint8_t* end, int* size) noexcept nogil:
    # The character at p; a byte that is no text is one of its own, U+FFFD.
    cdef int matched
    cdef uint32_t c = p[0]
    if c < 0x80:
        size[0] = 1
        return c
    size[0] = utf8_sequence(p, end, &matched)
    if size[0] == 2:
        return ((c & 0x1F) << 6) | (p[1] & 0x3F)
    if size[0] == 3:
        return ((c & 0x0F) << 12) | ((<uint32_t>p[1] & 0x3F) << 6) | (p[2] & 0x3F)
    if size[0] == 4:
        return (
            ((c & 0x07) << 18) | ((<uint32_t>p[1] & 0x3F) << 12)
            | ((<uint32_t>p[2] & 0x3F) << 6) | (p[3] & 0x3F)
        )
    size[0] = matched
    return 0xFFFD


cdef inline bint is_ignored(int kind) noexcept nogil:
    return kind == EXTEND or kind == FORMAT or kind == JOINER


cdef inline bint is_letter(int kind) noexcept nogil:
    return kind == LETTER or kind == HEBREW


cdef inline bint is_mid_letter(int kind) noexcept nogil:
    return kind == MID_LETTER or kind == MID_NUM_LETTER or kind == SINGLE_QUOTE


cdef inline bint is_mid_number(int kind) noexcept nogil:
    return kind == MID_NUM or kind == MID_NUM_LETTER or kind == SINGLE_QUOTE


cdef inline bint is_line_end(int kind) noexcept nogil:
    return kind == CR or kind == LF or kind == NEWLINE


cdef int kind_after(const uint8_t* p, const uint8_t* end) noexcept nogil:
    # The class of the next character that counts.
    cdef int size, kind
    while p < end:
        kind = CLASSES[code_at(p, end, &size)] & CLASS_BITS
        if not is_ignored(kind):
            return kind
        p += size
    return NOTHING


cdef bint is_joined(int before, int left, int right, const uint8_t* next, const uint8_t* end) noexcept nogil:
    # Rules WB5 to WB13b: `left` and `right` are the classes around a place, `before` the one before `left`.
    if is_letter(left):
        if is_letter(right) or right == NUMERIC or right == EXTEND_NUM:
            return True
        if left == HEBREW and right == SINGLE_QUOTE:
            return True
        if left == HEBREW and right == DOUBLE_QUOTE:
            return kind_after(next, end) == HEBREW
        return is_mid_letter(right) and is_letter(kind_after(next, end))
    if left == NUMERIC:
        if right == NUMERIC or is_letter(right) or right == EXTEND_NUM:
            return True
        return is_mid_number(right) and kind_after(next, end) == NUMERIC
    if left == KATAKANA or left == EXTEND_NUM:
        if right == KATAKANA or right == EXTEND_NUM:
            return True
        return left == EXTEND_NUM and (is_letter(right) or right == NUMERIC)
    if is_letter(right):
        if left == DOUBLE_QUOTE:
            return before == HEBREW and right == HEBREW
        return is_letter(before) and is_mid_letter(left)
    return right == NUMERIC and before == NUMERIC and is_mid_number(left)


cdef int fold_word(Words* w, const uint8_t* p, const uint8_t* end) noexcept nogil:
    # Writes a word in one case to `folded`.
    cdef uint32_t c
    cdef int size
    w.folded.size = 0
    if buffer_reserve(&w.folded, 3 * <size_t>(end - p) + 4) != 0:
        return TS_NO_MEMORY
    while p < end:
        if p[0] < 0x80:
            # There is room: three bytes for each of the word, as U+FFFD takes.
            w.folded.data[w.folded.size] = p[0] | 0x20 if c'A' <= p[0] <= c'Z' else p[0]
            w.folded.size += 1
            p += 1
            continue
        c = code_at(p, end, &size)
        if c < MAX_CASED and FOLDS[c] != 0:
            c = <uint32_t>FOLDS[c]
        if utf8_append(&w.folded, c) != 0:
            return TS_NO_MEMORY
        p += size
    return TS_OK


cdef int take_word(Words* w, const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef uint32_t size
    cdef int i
    cdef int status = fold_word(w, p, end)
    if status != TS_OK:
        return status
    if w.every != NULL:
        size = <uint32_t>w.folded.size
        if buffer_reserve(w.every, 4 + size) != 0:
            return TS_NO_MEMORY
        (<uint32_t*>(w.every.data + w.every.size))[0] = size
        copy_bytes(w.every.data + w.every.size + 4, w.folded.data, size)
        w.every.size += 4 + size
        return TS_OK
    for i in range(w.count):
        if w.sizes[i] == w.folded.size and memcmp(w.words[i], w.folded.data, w.folded.size) == 0:
            w.found |= (<uint64_t>1) << i
    return TS_OK


cdef inline bint may_be_wanted(const Words* w, const uint8_t* p, const uint8_t* end) noexcept nogil:
    # Whether a word may be one that is looked for, by its first byte; those beyond ASCII are compared in full.
    cdef int i
    cdef uint8_t first = p[0]
    if w.every != NULL or first >= 0x80:
        return True
    if c'A' <= first <= c'Z':
        first |= 0x20
    for i in range(w.count):
        if w.words[i][0] == first or w.words[i][0] >= 0x80:
            return True
    return False


cdef int find_in_text(Words* w, const uint8_t* p, const uint8_t* end) noexcept nogil:
    # Cuts a text and takes each of its words, until all that are looked for are found.
    cdef const uint8_t* start = p
    cdef int size, bits, kind, status
    cdef int before = NOTHING
    cdef int left = NOTHING
    # Of the characters just before, ignored ones included.
    cdef int last = NOTHING
    cdef int flags = 0
    cdef uint64_t all_found = ~(<uint64_t>0) >> (MAX_WORDS - w.count) if w.count else 0
    cdef bint even_regional = True
    cdef bint joined
    while p < end:
        bits = CLASSES[code_at(p, end, &size)]
        kind = bits & CLASS_BITS
        if last == NOTHING:
            joined = True
        elif last == CR and kind == LF:
            joined = True
        elif is_line_end(last) or is_line_end(kind):
            joined = False
        elif last == JOINER and bits & PICTOGRAPH:
            joined = True
        elif last == SPACE and kind == SPACE:
            joined = True
        elif is_ignored(kind):
            joined = True
        elif left == REGIONAL and kind == REGIONAL:
            joined = not even_regional
        else:
            joined = is_joined(before, left, kind, p + size, end)
        if not joined:
            if flags & OF_WORDS and may_be_wanted(w, start, p):
                status = take_word(w, start, p)
                if status != TS_OK or (w.every == NULL and w.found == all_found):
                    return status
            start = p
            flags = 0
        flags |= bits
        last = kind
        if not is_ignored(kind) or left == NOTHING or is_line_end(left):
            even_regional = not even_regional if kind == REGIONAL and left == REGIONAL else kind != REGIONAL
            before = left
            left = kind
        p += size
        if is_of_run(left) and last == left:
            # Most of a text: the rest of a word in ASCII.
            while p < end and ASCII_PARTS[p[0]] == OF_RUN:
                bits = CLASSES[p[0]]
                before = left
                left = bits & CLASS_BITS
                flags |= bits
                p += 1
            last = left
    if flags & OF_WORDS and may_be_wanted(w, start, p):
        return take_word(w, start, p)
    return TS_OK


cdef int find_in_object(Words* w, JsonCursor* j, Buffer* scratch) noexcept nogil:
    cdef Text key
    cdef bint more = 1
    cdef int status = json_open(j)
    if status == TS_OK and j.p < j.end and j.p[0] == c'}':
        j.p += 1
        more = 0
    while status == TS_OK and more:
        status = json_key(j, scratch, &key)
        if status == TS_OK:
            status = find_in_json(w, j, scratch)
        if status == TS_OK:
            status = json_separator(j, c'}', &more)
    j.depth -= 1
    return status


cdef int find_in_array(Words* w, JsonCursor* j, Buffer* scratch) noexcept nogil:
    cdef bint more = 1
    cdef int status = json_open(j)
    if status == TS_OK and j.p < j.end and j.p[0] == c']':
        j.p += 1
        more = 0
    while status == TS_OK and more:
        status = find_in_json(w, j, scratch)
        if status == TS_OK:
            status = json_separator(j, c']', &more)
    j.depth -= 1
    return status


cdef int find_in_json(Words* w, JsonCursor* j, Buffer* scratch) noexcept nogil:
    cdef Text string
    cdef const uint8_t* start = j.p
    cdef int status
    if j.p >= j.end:
        return json_fail(j, b"unexpected end; want a value")
    if j.p[0] == c'"':
        status = json_string(j, scratch, &string)
        return find_in_text(w, string.p, string.p + string.size) if status == TS_OK else status
    if j.p[0] == c'{':
        return find_in_object(w, j, scratch)
    if j.p[0] == c'[':
        return find_in_array(w, j, scratch)
    if j.p[0] == c'n':
        return json_literal(j, b"null", 4)
    if j.p[0] == c't':
        status = json_literal(j, b"true", 4)
    elif j.p[0] == c'f':
        status = json_literal(j, b"false", 5)
    else:
        while j.p < j.end and j.p[0] not in b",]} \t\r\n":
            j.p += 1
        status = TS_OK
    return find_in_text(w, start, j.p) if status == TS_OK else status


cdef int find_in_row(Words* w, const uint8_t* p, const uint8_t* end, bint of_json, Buffer* scratch) noexcept nogil:
    cdef JsonCursor j
    cdef int status
    if not of_json:
        return find_in_text(w, p, end)
    memset(&j, 0, sizeof(j))
    j.p = p
    j.end = end
    json_space(&j)
    status = find_in_json(w, &j, scratch)
    # What is no JSON is a text.
    return status if status == TS_OK or status == TS_NO_MEMORY else find_in_text(w, p, end)


def words(const uint8_t[::1] text not None):
    """Returns the words of a text in one case, in order, as bytes of UTF-8."""
    cdef Words w
    cdef Buffer every
    cdef size_t at = 0
    cdef uint32_t size
    cdef int status = TS_OK
    memset(&w, 0, sizeof(w))
    memset(&every, 0, sizeof(every))
    w.every = &every
    if text.shape[0]:
        with nogil:
            status = find_in_text(&w, &text[0], &text[0] + text.shape[0])
    try:
        if status != TS_OK:
            raise MemoryError
        found = []
        while at < every.size:
            size = (<uint32_t*>(every.data + at))[0]
            found.append((<char*>(every.data + at + 4))[:size])
            at += 4 + size
        return found
    finally:
        buffer_free(&every)
        buffer_free(&w.folded)


def find_words(
    const int32_t[::1] offsets not None,
    const uint8_t[::1] data not None,
    tuple wanted not None,
    uint64_t[::1] found not None,
    *,
    bint of_json,
):
    """Writes for each text which of some words stand in it: a bit for each, the first the lowest.

    Args:
        offsets: where each text begins in `data`, and where the last one ends.
        wanted: the words in one case, as `words` gives them; at most 64.
        found: takes the bits.
        of_json: whether the texts are JSON.

    Raises:
        ValueError: where sizes do not fit together.
    """
    cdef Words w
    cdef Buffer scratch
    cdef const uint8_t* base = &data[0] if data.shape[0] else NULL
    cdef int64_t i
    cdef int64_t rows = offsets.shape[0] - 1
    cdef int status = TS_OK
    cdef bytes word
    if rows != found.shape[0] or len(wanted) > MAX_WORDS:
        raise ValueError("cannot find words: want an offset more than rows, and at most 64 words")
    memset(&w, 0, sizeof(w))
    memset(&scratch, 0, sizeof(scratch))
    for word in wanted:
        if not word:
            raise ValueError("cannot find words: one is empty")
        w.words[w.count] = <const uint8_t*><char*>word
        w.sizes[w.count] = len(word)
        w.count += 1
    for i in range(rows):
        if offsets[i] < 0 or offsets[i] > offsets[i + 1] or offsets[i + 1] > data.shape[0]:
            raise ValueError(f"cannot find words: text {i} lies outside of the data")
    with nogil:
        for i in range(rows):
            w.found = 0
            if offsets[i] < offsets[i + 1]:
                status = find_in_row(&w, base + offsets[i], base + offsets[i + 1], of_json, &scratch)
                if status != TS_OK:
                    break
            found[i] = w.found
        buffer_free(&scratch)
        buffer_free(&w.folded)
    if status != TS_OK:
        raise MemoryError


fill_tables()
