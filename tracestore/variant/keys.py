"""Keys of rows, 64 bits each: made of the words of their ids, and kept in sets."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore import _native

Keys = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]

GONE: Final = 1
"""The greatest value that is no key: a free slot has the value 0, and one whose key was taken out this one."""

_FIRST_SLOTS: Final = 4096


def make_valid(keys: Keys) -> Keys:
    """Returns keys without the two values that are none."""
    return np.where(keys <= np.uint64(GONE), keys + np.uint64(2), keys)


def mixed(keys: Keys, words: Keys) -> Keys:
    """Returns keys with rows of words mixed into them, (n,) and (n, words): every bit changes about half of a key."""
    result = np.array(keys, np.uint64)
    _native.hash_words(result, np.ascontiguousarray(words, np.uint64))
    return result


def numbers_of(texts: pa.Array, known: tuple[str, ...]) -> Keys:
    """Returns for each text which of the known it is, counted from 0; their number for another one, and for null."""
    column = texts.cast(pa.string()) if texts.type != pa.string() else texts
    numbers = np.full(len(column), len(known), np.uint64)
    if len(column):
        _, offsets, data = column.buffers()
        places = np.frombuffer(offsets, np.int32, len(column) + 1, column.offset * 4)
        encoded = tuple(text.encode() for text in known)
        _native.number_texts(places, np.frombuffer(data or b"", np.uint8), encoded, numbers)
    if column.null_count:
        numbers[column.is_null().to_numpy(zero_copy_only=False)] = len(known)
    return numbers


class KeySet:
    """A set of valid keys, 16 to 32 bytes each."""

    def __init__(self) -> None:
        self._slots: Keys = np.zeros(_FIRST_SLOTS, np.uint64)
        self._used = 0  # slots that are not free, those of keys that were taken out too

    def __len__(self) -> int:
        return self._used

    @property
    def nbytes(self) -> int:
        """Returns the bytes of the set."""
        return self._slots.nbytes

    def add(self, keys: Keys, other: KeySet) -> Mask:
        """Adds the keys that are in neither set; returns which these are: of equal ones, the first."""
        self._make_room(len(keys))
        is_new = np.empty(len(keys), np.uint8)
        self._used += _native.add_keys(self._slots, other._slots, keys, is_new, self._used)
        return is_new.view(np.bool_)

    def contains(self, keys: Keys) -> Mask:
        """Returns which keys are in the set."""
        is_member = np.empty(len(keys), np.uint8)
        _native.find_keys(self._slots, keys, is_member)
        return is_member.view(np.bool_)

    def remove(self, keys: Keys) -> None:
        """Takes out keys; those not in the set are fine."""
        _native.remove_keys(self._slots, keys)

    def _make_room(self, more: int) -> None:
        size = len(self._slots)
        if (self._used + more) * 2 <= size:
            return
        live = self._slots[self._slots > np.uint64(GONE)]
        while (len(live) + more) * 2 > size:
            size *= 2
        self._slots = np.zeros(size, np.uint64)
        self._used = 0
        is_new = np.empty(len(live), np.uint8)
        none = np.zeros(2, np.uint64)
        self._used = _native.add_keys(self._slots, none, live, is_new, 0)
