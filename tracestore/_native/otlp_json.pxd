"""OTLP/JSON to OTLP protobuf, so that both have one reader and one meaning."""

from libc.stdint cimport uint64_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.json_reader cimport JsonCursor
from tracestore._native.rejections cimport Rejections


cdef struct RowOrigin:
    # A row that went through: its number among the request's rows, and the offset of its object.
    uint64_t row
    uint64_t offset


cdef struct Transcoder:
    JsonCursor j
    const unsigned char* base
    Buffer out
    Buffer text
    Buffer key
    # RowOrigin of every row in `out`.
    Buffer origins
    Rejections refused
    uint64_t ordinal


# Transcodes an export request of spans or log records. A row with a value of the wrong type is refused alone.
cdef int transcode_request(Transcoder* t, bint logs) noexcept nogil
cdef void transcoder_free(Transcoder* t) noexcept nogil
