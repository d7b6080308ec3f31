"""The words of distinct texts: each text is cut once, and its words are numbers of a table."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.word_table cimport WordTable
from tracestore._native.words cimport Words


cdef struct TextWords:
    WordTable table
    Words cutter
    # The words of one text, each behind its size.
    Buffer every
    Buffer scratch


cdef int begin_texts(TextWords* words, uint64_t seed) noexcept nogil
cdef void free_texts(TextWords* words) noexcept nogil
cdef int take_text(
    TextWords* words, const uint8_t* p, const uint8_t* end, const uint8_t* limit, bint of_json, uint32_t text
) noexcept nogil
