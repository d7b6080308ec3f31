"""A 64-bit hash of bytes by folded 128-bit products: 8 bytes a step, equal on every machine of one byte order."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef extern from "platform.h" nogil:
    uint64_t ts_load64(const uint8_t* p) noexcept
    uint32_t ts_load32(const uint8_t* p) noexcept
    void ts_mul128(uint64_t a, uint64_t b, uint64_t* hi, uint64_t* lo) noexcept


cdef enum:
    # Odd 64-bit constants with about half of their bits set: the fractional parts of square roots of primes.
    HASH_K0 = 0x6A09E667F3BCC909
    HASH_K1 = 0xBB67AE8584CAA73B
    HASH_K2 = 0x3C6EF372FE94F82B


cdef inline uint64_t hash_fold(uint64_t a, uint64_t b) noexcept nogil:
    cdef uint64_t hi, lo
    ts_mul128(a, b, &hi, &lo)
    return hi ^ lo


cdef inline uint64_t hash_bytes(const uint8_t* p, size_t size, uint64_t seed) noexcept nogil:
    cdef uint64_t h = seed ^ <uint64_t>HASH_K0
    # The seed stands in both factors: no chosen block can make one of them zero.
    cdef uint64_t k = <uint64_t>HASH_K1 ^ ((seed << 32) | (seed >> 32))
    cdef size_t left = size
    cdef uint64_t a, b
    while left > 16:
        h = hash_fold(ts_load64(p) ^ k, ts_load64(p + 8) ^ h)
        p += 16
        left -= 16
    if left >= 8:
        a = ts_load64(p)
        b = ts_load64(p + left - 8)
    elif left >= 4:
        a = ts_load32(p)
        b = ts_load32(p + left - 4)
    elif left:
        a = (<uint64_t>p[0] << 16) | (<uint64_t>p[left >> 1] << 8) | p[left - 1]
        b = 0
    else:
        a = 0
        b = 0
    h = hash_fold(a ^ k, b ^ h)
    return hash_fold(h ^ size, <uint64_t>HASH_K2)


cdef inline uint64_t hash_message(const uint8_t* p, size_t size, uint64_t seed) noexcept nogil:
    # Four products at once: each step of hash_bytes waits for the one before.
    cdef uint64_t k = <uint64_t>HASH_K1 ^ ((seed << 32) | (seed >> 32))
    cdef uint64_t[4] lanes
    cdef size_t left = size
    if size <= 64:
        return hash_bytes(p, size, seed)
    lanes[0] = seed ^ <uint64_t>HASH_K0
    lanes[1] = seed ^ <uint64_t>HASH_K1
    lanes[2] = seed ^ <uint64_t>HASH_K2
    lanes[3] = seed
    while left > 64:
        lanes[0] = hash_fold(ts_load64(p) ^ k, ts_load64(p + 8) ^ lanes[0])
        lanes[1] = hash_fold(ts_load64(p + 16) ^ k, ts_load64(p + 24) ^ lanes[1])
        lanes[2] = hash_fold(ts_load64(p + 32) ^ k, ts_load64(p + 40) ^ lanes[2])
        lanes[3] = hash_fold(ts_load64(p + 48) ^ k, ts_load64(p + 56) ^ lanes[3])
        p += 64
        left -= 64
    return hash_bytes(p, left, hash_bytes(<const uint8_t*>lanes, sizeof(lanes), size))
