"""The cutter of texts into words, for the kernels that look for words and that list them."""

from libc.stdint cimport uint8_t, uint64_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.json_reader cimport JsonCursor

cdef enum:
    # Equals limits.MAX_SEARCHED_WORDS: a bit of the answer for each.
    MAX_WORDS = 64


cdef struct Words:
    # What is looked for: words in one case, and a bit of `found` for each.
    const uint8_t* words[MAX_WORDS]
    size_t[MAX_WORDS] sizes
    int count
    uint64_t found
    # Set where every word of a text is wanted: they are written here, each behind its size.
    Buffer* every
    Buffer folded


# Of each byte: what it is to a text in ASCII. Between a separator and anything else there is always a boundary.
cdef enum:
    OF_RUN = 1
    SEPARATOR = 2

cdef uint8_t[256] ASCII_PARTS

cdef int find_in_text(Words* w, const uint8_t* p, const uint8_t* end) noexcept nogil
cdef int find_in_json(Words* w, JsonCursor* j, Buffer* scratch) noexcept nogil
