"""A hash set of 64-bit keys in an array of slots, and the keys of texts: no object is made a key.

A slot holds a key, EMPTY, or GONE where a key was taken out: probing goes on behind it. A key is looked for from the
slot that its low bits name, one slot after another. The caller keeps the array at most half full, and a power of two.
"""

from libc.stdint cimport int32_t, uint8_t, uint64_t

from tracestore._native.buffer cimport same_bytes

cdef enum:
    EMPTY = 0
    GONE = 1
    MAX_TEXTS = 16

cdef struct KnownText:
    const uint8_t* start
    Py_ssize_t size


cdef uint64_t MULTIPLIER = 0x9E3779B97F4A7C15


cdef inline uint64_t mix(uint64_t value) noexcept nogil:
    # Two rounds of fold and multiply: every bit reaches the low bits that pick a slot.
    value = (value ^ (value >> 32)) * MULTIPLIER
    value = (value ^ (value >> 32)) * MULTIPLIER
    return value ^ (value >> 32)


cdef inline bint has_key(const uint64_t* slots, uint64_t mask, uint64_t key) noexcept nogil:
    cdef uint64_t at = key & mask
    while slots[at] != EMPTY:
        if slots[at] == key:
            return True
        at = (at + 1) & mask
    return False


cdef inline void put_key(uint64_t* slots, uint64_t mask, uint64_t key) noexcept nogil:
    cdef uint64_t at = key & mask
    while slots[at] != EMPTY:
        at = (at + 1) & mask
    slots[at] = key


cdef uint64_t mask_of(const uint64_t[::1] slots, Py_ssize_t used) except? 0:
    # The mask of positions; a table without an empty slot would be probed for ever.
    cdef Py_ssize_t size = slots.shape[0]
    if size < 2 or size & (size - 1):
        raise ValueError(f"cannot use {size} slots: want a power of two")
    if 2 * used > size:
        raise ValueError(f"cannot keep {used} keys in {size} slots: at most half may be used")
    return <uint64_t>(size - 1)


def add_keys(
    uint64_t[::1] slots not None,
    const uint64_t[::1] others not None,
    const uint64_t[::1] keys not None,
    uint8_t[::1] is_new not None,
    Py_ssize_t used,
):
    """Adds keys that are in neither table; returns how many were added.

    Args:
        slots: takes the new keys.
        others: a second table, which is only read.
        keys: none of them EMPTY or GONE.
        is_new: takes for each key whether it was in neither table; of equal keys the first is new.
        used: slots that are not empty.

    Raises:
        ValueError: where sizes do not fit together, or the keys do not fit in.
    """
    cdef uint64_t mask = mask_of(slots, used + keys.shape[0])
    cdef uint64_t other_mask = mask_of(others, 0)
    cdef Py_ssize_t i
    cdef Py_ssize_t added = 0
    if keys.shape[0] != is_new.shape[0]:
        raise ValueError("cannot add keys: want a mark a key")
    with nogil:
        for i in range(keys.shape[0]):
            is_new[i] = not has_key(&slots[0], mask, keys[i]) and not has_key(
                &others[0], other_mask, keys[i]
            )
            if is_new[i]:
                put_key(&slots[0], mask, keys[i])
                added += 1
    return added


def find_keys(
    const uint64_t[::1] slots not None,
    const uint64_t[::1] keys not None,
    uint8_t[::1] is_member not None,
):
    """Writes for each key whether it is in a table.

    Raises:
        ValueError: where sizes do not fit together.
    """
    cdef uint64_t mask = mask_of(slots, 0)
    cdef Py_ssize_t i
    if keys.shape[0] != is_member.shape[0]:
        raise ValueError("cannot find keys: want a mark a key")
    with nogil:
        for i in range(keys.shape[0]):
            is_member[i] = has_key(&slots[0], mask, keys[i])


def remove_keys(uint64_t[::1] slots not None, const uint64_t[::1] keys not None):
    """Takes keys out of a table; those not in it are fine."""
    cdef uint64_t mask = mask_of(slots, 0)
    cdef uint64_t at
    cdef Py_ssize_t i
    with nogil:
        for i in range(keys.shape[0]):
            at = keys[i] & mask
            while slots[at] != EMPTY:
                if slots[at] == keys[i]:
                    slots[at] = GONE
                    break
                at = (at + 1) & mask


def hash_words(uint64_t[::1] keys not None, const uint64_t[:, ::1] words not None):
    """Mixes each row of words into the key of the row.

    Raises:
        ValueError: where there is not a row a key.
    """
    cdef Py_ssize_t i, j
    cdef uint64_t key
    if keys.shape[0] != words.shape[0]:
        raise ValueError("cannot hash words: want a row of them a key")
    with nogil:
        for i in range(keys.shape[0]):
            key = keys[i]
            for j in range(words.shape[1]):
                key = mix(key ^ words[i, j])
            keys[i] = key


def number_texts(
    const int32_t[::1] offsets not None,
    const uint8_t[::1] data not None,
    tuple texts not None,
    uint64_t[::1] numbers not None,
):
    """Writes for each text which of some texts it is, counted from 0; their number where it is none of them.

    Args:
        offsets: where each text begins in `data`, and where the last one ends.
        texts: as bytes, at most 16.
        numbers: takes the numbers.

    Raises:
        ValueError: where sizes do not fit together.
    """
    cdef KnownText[MAX_TEXTS] known
    cdef int count = 0
    cdef int number
    cdef Py_ssize_t i, size
    cdef Py_ssize_t rows = offsets.shape[0] - 1
    cdef const uint8_t* base = &data[0] if data.shape[0] else NULL
    cdef bytes text
    if rows != numbers.shape[0] or len(texts) > MAX_TEXTS:
        raise ValueError("cannot number texts: want an offset more than rows, and at most 16 texts")
    for text in texts:
        known[count].start = <const uint8_t*><char*>text
        known[count].size = len(text)
        count += 1
    for i in range(rows):
        if offsets[i] < 0 or offsets[i] > offsets[i + 1] or offsets[i + 1] > data.shape[0]:
            raise ValueError(f"cannot number texts: text {i} lies outside of the data")
    with nogil:
        for i in range(rows):
            size = offsets[i + 1] - offsets[i]
            numbers[i] = count
            for number in range(count):
                if known[number].size == size and same_bytes(
                    known[number].start, base + offsets[i], size
                ):
                    numbers[i] = number
                    break
