"""A cache with a bound on what it holds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


def _one(_value: object) -> int:
    return 1


class BoundedCache(Generic[Key, Value]):
    """The values of keys, within a bound. Those used least recently are dropped first. Thread-safe.

    Making a value keeps no other key waiting.

    Args:
        bound: of the sizes of all values together; a larger value is not kept.
        size_of: gives a value's size in the unit of the bound; by default each counts as one.
        on_drop: takes each value that is not kept any more; called without a lock.
    """

    def __init__(
        self,
        bound: int,
        size_of: Callable[[Value], int] = _one,
        on_drop: Callable[[Value], None] | None = None,
    ) -> None:
        self._bound = bound
        self._size_of = size_of
        self._on_drop = on_drop
        self._lock = threading.Lock()
        self._values: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._making: dict[Key, threading.Lock] = {}
        self._size = 0

    @property
    def size(self) -> int:
        """Returns the sizes of all values together."""
        return self._size

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Key) -> Value | None:
        """Returns a value, None where it is not kept."""
        with self._lock:
            entry = self._values.get(key)
            if entry is None:
                return None
            self._values.move_to_end(key)
            return entry[0]

    def put(self, key: Key, value: Value) -> None:
        """Keeps a value, in place of an older one of its key."""
        size = self._size_of(value)
        with self._lock:
            dropped = self._taken(key)
            if size > self._bound:
                dropped.append(value)
            else:
                self._values[key] = (value, size)
                self._size += size
            while self._size > self._bound:
                dropped += self._taken(next(iter(self._values)))
        self._tell(dropped)

    def get_or_make(self, key: Key, make: Callable[[], Value]) -> Value:
        """Returns a value; makes it where it is not kept. Of callers at the same time one makes it."""
        return self.get_or_renew(key, lambda _: True, lambda _: make())

    def get_or_renew(
        self,
        key: Key,
        is_current: Callable[[Value], bool],
        renew: Callable[[Value | None], Value],
    ) -> Value:
        """Returns a value that is current. Of callers at the same time one makes it.

        Args:
            key: the value's.
            is_current: tells of the value that is kept whether it still holds.
            renew: makes a current value, given the outdated one or None.
        """
        value = self.get(key)
        if value is not None and is_current(value):
            return value
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            value = self.get(key)
            if value is not None and is_current(value):
                return value
            try:
                value = renew(value)
                self.put(key, value)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return value

    def drop(self, is_gone: Callable[[Key], bool]) -> None:
        """Drops the values of the keys that a condition names."""
        dropped: list[Value] = []
        with self._lock:
            for key in [key for key in self._values if is_gone(key)]:
                dropped += self._taken(key)
        self._tell(dropped)

    def clear(self) -> None:
        """Drops all values."""
        self.drop(lambda _: True)

    def _taken(self, key: Key) -> list[Value]:
        """Takes the value of a key out; returns it, or nothing where there is none."""
        entry = self._values.pop(key, None)
        if entry is None:
            return []
        value, size = entry
        self._size -= size
        return [value]

    def _tell(self, dropped: list[Value]) -> None:
        if self._on_drop is not None:
            for value in dropped:
                self._on_drop(value)
