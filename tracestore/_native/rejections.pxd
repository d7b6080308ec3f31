"""Rows refused one by one: where each stood and why. Bounded; what passes the bound is only counted."""

from libc.stdint cimport uint32_t, uint64_t

from tracestore._native.buffer cimport Buffer

cdef enum:
    # Equals limits.MAX_REPORTED_REJECTIONS.
    MAX_REPORTED_REJECTIONS = 1000


cdef struct Rejection:
    uint64_t row
    uint64_t offset
    const char* reason


cdef struct Rejections:
    Buffer items
    uint64_t count


cdef int reject(Rejections* r, uint64_t row, uint64_t offset, const char* reason) noexcept nogil
cdef list rejections_take(Rejections* r)
