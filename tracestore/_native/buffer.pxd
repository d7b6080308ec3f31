"""A growable array of bytes: the only owner of heap memory in the kernels."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy


cdef struct Buffer:
    uint8_t* data
    size_t size
    size_t capacity


cdef inline void copy_bytes(void* to, const void* source, size_t size) noexcept nogil:
    # memcpy that takes NULL where there is nothing to copy.
    if size:
        memcpy(to, source, size)


cdef inline bint same_bytes(const void* a, const void* b, size_t size) noexcept nogil:
    # Equality that takes NULL where there is nothing to compare.
    return size == 0 or memcmp(a, b, size) == 0


cdef inline void buffer_free(Buffer* b) noexcept nogil:
    free(b.data)
    b.data = NULL
    b.size = 0
    b.capacity = 0


cdef inline int buffer_grow(Buffer* b, size_t extra) noexcept nogil:
    # Doubling keeps appends linear; the first block is small since most paths are rare.
    cdef size_t wanted = b.size + extra
    cdef size_t capacity
    cdef uint8_t* data
    if wanted < b.size:
        return -1
    capacity = b.capacity * 2
    if capacity < 16:
        capacity = 16
    if capacity < wanted:
        capacity = wanted
    data = <uint8_t*>realloc(b.data, capacity)
    if data == NULL:
        return -1
    b.data = data
    b.capacity = capacity
    return 0


cdef inline int buffer_reserve(Buffer* b, size_t extra) noexcept nogil:
    if b.capacity - b.size >= extra:
        return 0
    return buffer_grow(b, extra)


cdef inline int buffer_bytes(Buffer* b, const void* source, size_t size) noexcept nogil:
    if buffer_reserve(b, size) != 0:
        return -1
    if size:
        memcpy(b.data + b.size, source, size)
        b.size += size
    return 0


cdef inline int buffer_u8(Buffer* b, uint8_t value) noexcept nogil:
    if buffer_reserve(b, 1) != 0:
        return -1
    b.data[b.size] = value
    b.size += 1
    return 0


cdef inline int buffer_u32(Buffer* b, uint32_t value) noexcept nogil:
    if buffer_reserve(b, 4) != 0:
        return -1
    memcpy(b.data + b.size, &value, 4)
    b.size += 4
    return 0


cdef inline int buffer_u64(Buffer* b, uint64_t value) noexcept nogil:
    if buffer_reserve(b, 8) != 0:
        return -1
    memcpy(b.data + b.size, &value, 8)
    b.size += 8
    return 0


cdef inline int buffer_i64(Buffer* b, int64_t value) noexcept nogil:
    return buffer_u64(b, <uint64_t>value)


cdef inline int buffer_f64(Buffer* b, double value) noexcept nogil:
    if buffer_reserve(b, 8) != 0:
        return -1
    memcpy(b.data + b.size, &value, 8)
    b.size += 8
    return 0
