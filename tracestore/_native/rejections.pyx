"""Rejections: see rejections.pxd. Reasons are static text; offsets count from the payload's first byte."""

from libc.stdint cimport uint64_t

from tracestore._native.buffer cimport buffer_bytes, buffer_free
from tracestore._native.status cimport TS_OK


cdef int reject(Rejections* r, uint64_t row, uint64_t offset, const char* reason) noexcept nogil:
    cdef Rejection item
    r.count += 1
    if r.count > MAX_REPORTED_REJECTIONS:
        return TS_OK
    item.row = row
    item.offset = offset
    item.reason = reason
    return buffer_bytes(&r.items, &item, sizeof(Rejection))


cdef list rejections_take(Rejections* r):
    # As (row, offset, reason) tuples; frees what was held.
    cdef Rejection* items = <Rejection*>r.items.data
    cdef uint64_t i
    cdef list taken = []
    for i in range(r.items.size // sizeof(Rejection)):
        taken.append((items[i].row, items[i].offset, (<bytes>items[i].reason).decode()))
    buffer_free(&r.items)
    return taken
