"""Which texts stand in which rows, for the kernels that say in which rows each word stands."""

from libc.stdint cimport int64_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.text_words cimport TextWords

cdef enum:
    # The word of rows that may hold any.
    ANY_WORD = 0
    # What stands for the column of a word or text of several, and of one of none.
    SEVERAL_COLUMNS = 0xFFFF
    NO_COLUMN = 0xFFFE


cdef class WordIndex:
    cdef TextWords _texts
    cdef int64_t _rows
    # Entries as they came, then the texts of each row in one run and where each row's run begins.
    cdef Buffer _entry_rows
    cdef Buffer _entry_texts
    cdef Buffer _row_texts
    cdef Buffer _row_starts
    cdef bint _grouped
    # By text: the column that it stands in.
    cdef Buffer _columns
    # By word: in how many rows it stands, once they are counted.
    cdef Buffer _counts

    cdef int group(self) noexcept nogil
