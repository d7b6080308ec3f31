"""Lists of ascending numbers as bytes, in about two bits more for each than its distance from the last one needs.

The code is that of Elias and Fano: of each number the low bits as they are, and how often the rest grows in unary.
docs/format/words.md, "Lists", is the specification. Linear in the numbers and in the bytes.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memset


cdef inline int low_bits(uint64_t bound, uint64_t count) noexcept nogil:
    # The bits of each number that stand as they are: those of the mean distance, rounded down to a power of two.
    cdef int bits = 0
    cdef uint64_t mean = bound // count
    while mean > 1:
        mean >>= 1
        bits += 1
    return bits


cdef inline int64_t encoded_bytes(uint64_t bound, uint64_t count) noexcept nogil:
    cdef int bits = low_bits(bound, count)
    cdef int64_t size = 1
    cdef uint64_t rest = count >> 7
    while rest:
        size += 1
        rest >>= 7
    return size + (count + (bound >> bits) + 7) // 8 + (count * bits + 7) // 8


cdef void encode(const int32_t* values, uint64_t count, uint64_t bound, uint8_t* out) noexcept nogil:
    # Writes a list to bytes that are zero.
    cdef int bits = low_bits(bound, count)
    cdef uint64_t rest = count
    cdef uint64_t mask = (<uint64_t>1 << bits) - 1
    # Low bits that fill no byte yet, and how many.
    cdef uint64_t waiting = 0
    cdef int filled = 0
    cdef uint64_t i, value, high
    cdef uint8_t* lows
    while rest >= 0x80:
        out[0] = <uint8_t>(rest | 0x80)
        out += 1
        rest >>= 7
    out[0] = <uint8_t>rest
    out += 1
    lows = out + (count + (bound >> bits) + 7) // 8
    for i in range(count):
        value = <uint64_t>values[i]
        high = (value >> bits) + i
        out[high >> 3] |= <uint8_t>(1 << (high & 7))
        waiting |= (value & mask) << filled
        filled += bits
        while filled >= 8:
            lows[0] = <uint8_t>waiting
            lows += 1
            waiting >>= 8
            filled -= 8
    if filled:
        lows[0] = <uint8_t>waiting


def list_sizes(const int64_t[::1] starts not None, const int32_t[::1] bounds not None, int64_t[::1] sizes not None):
    """Writes the bytes that each list takes, none for an empty one.

    Args:
        starts: where each list begins, and where the last one ends.
        bounds: what the numbers of each list are less than.
        sizes: takes the sizes.

    Raises:
        ValueError: where sizes do not fit together.
    """
    cdef int64_t i
    if starts.shape[0] != sizes.shape[0] + 1 or bounds.shape[0] != sizes.shape[0]:
        raise ValueError("cannot write lists: want a start more than lists, and a bound for each")
    for i in range(sizes.shape[0]):
        if starts[i] > starts[i + 1] or bounds[i] < 0:
            raise ValueError(f"cannot write lists: list {i} ends before it begins, or has no bound")
        sizes[i] = 0
        if starts[i] < starts[i + 1]:
            sizes[i] = encoded_bytes(<uint64_t>bounds[i], <uint64_t>(starts[i + 1] - starts[i]))


def write_lists(
    const int64_t[::1] starts not None,
    const int32_t[::1] values not None,
    const int32_t[::1] bounds not None,
    const int64_t[::1] places not None,
    uint8_t[::1] out not None,
):
    """Writes lists as bytes.

    Args:
        starts: where each list begins in `values`, and where the last one ends.
        values: the numbers of all lists, those of each ascending.
        bounds: what the numbers of each list are less than.
        places: where the bytes of each list begin in `out`, and where those of the last one end.
        out: takes the bytes.

    Raises:
        ValueError: where sizes do not fit together, or a list is not ascending or not within its bound.
    """
    cdef int64_t lists = bounds.shape[0]
    cdef int64_t i, at, last, size
    if starts.shape[0] != lists + 1 or places.shape[0] != lists + 1:
        raise ValueError("cannot write lists: want a start and a place more than lists")
    for i in range(lists):
        if starts[i] < 0 or starts[i] > starts[i + 1] or starts[i + 1] > values.shape[0] or bounds[i] < 0:
            raise ValueError(f"cannot write lists: list {i} lies outside of the values")
        size = 0
        if starts[i] < starts[i + 1]:
            size = encoded_bytes(<uint64_t>bounds[i], <uint64_t>(starts[i + 1] - starts[i]))
        if places[i] < 0 or places[i + 1] - places[i] != size or places[i + 1] > out.shape[0]:
            raise ValueError(f"cannot write lists: list {i} has too little room, or too much")
        last = -1
        for at in range(starts[i], starts[i + 1]):
            if values[at] <= last or values[at] >= bounds[i]:
                raise ValueError(f"cannot write lists: list {i} is not ascending within its bound")
            last = values[at]
    if out.shape[0] == 0 or lists == 0:
        return
    with nogil:
        memset(&out[0], 0, out.shape[0])
        for i in range(lists):
            if starts[i] < starts[i + 1]:
                encode(&values[starts[i]], <uint64_t>(starts[i + 1] - starts[i]), <uint64_t>bounds[i], &out[places[i]])
