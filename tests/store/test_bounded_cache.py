"""The bounded cache: what it holds stays within its bound, and nobody waits for another key's value."""

from __future__ import annotations

import functools
import operator
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data import processes
from tracestore.bounded_cache import BoundedCache

STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "get", "drop"]), st.integers(0, 5), st.binary(max_size=9)),
    max_size=60,
)


@given(steps=STEPS, bound=st.integers(0, 20))
def test_it_holds_the_newest_values_that_fit_and_nothing_beyond_its_bound(
    steps: list[tuple[str, int, bytes]], bound: int
) -> None:
    cache: BoundedCache[int, bytes] = BoundedCache(bound, len)
    expected: dict[int, bytes] = {}  # the last used one is last
    for step, key, value in steps:
        if step == "put":
            cache.put(key, value)
            expected.pop(key, None)
            if len(value) <= bound:
                expected[key] = value
            while sum(map(len, expected.values())) > bound:
                del expected[next(iter(expected))]
        elif step == "get":
            assert cache.get(key) == expected.get(key)
            if key in expected:
                expected[key] = expected.pop(key)
        else:
            cache.drop(functools.partial(operator.eq, key))
            expected.pop(key, None)
        assert cache.size == sum(map(len, expected.values())) <= bound
        assert len(cache) == len(expected)
    cache.clear()
    assert cache.size == len(cache) == 0


@given(keys=st.lists(st.integers(0, 5), max_size=40), bound=st.integers(0, 3))
def test_each_value_is_told_of_once_when_it_is_dropped(keys: list[int], bound: int) -> None:
    dropped: list[int] = []
    cache: BoundedCache[int, int] = BoundedCache(bound, on_drop=dropped.append)
    for number, key in enumerate(keys):
        cache.put(key, number)
        assert len(cache) + len(dropped) == number + 1
    cache.clear()
    assert sorted(dropped) == list(range(len(keys)))


def test_a_value_that_is_asked_for_by_many_at_once_is_made_once() -> None:
    cache: BoundedCache[str, object] = BoundedCache(8)
    started = threading.Barrier(6, timeout=processes.HANG_S)
    made: list[object] = []
    got: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    def ask() -> None:
        started.wait()
        got.append(cache.get_or_make("key", make))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert all(value is made[0] for value in got)
    assert len(got) == 6


def test_a_value_that_is_being_made_keeps_no_other_key_waiting() -> None:
    cache: BoundedCache[str, str] = BoundedCache(8)

    def slow() -> str:
        # Would never return, if the cache was locked while a value is made.
        return cache.get_or_make("other", lambda: "quick")

    assert cache.get_or_make("key", slow) == "quick"
    assert cache.get("other") == cache.get("key") == "quick"


def test_a_value_whose_making_fails_is_made_by_the_next_who_asks() -> None:
    cache: BoundedCache[str, str] = BoundedCache(8)

    def fail() -> str:
        raise OSError("cannot read")

    with pytest.raises(OSError, match="cannot read"):
        cache.get_or_make("key", fail)
    assert cache.get_or_make("key", lambda: "value") == "value"


def test_an_outdated_value_is_renewed_from_itself() -> None:
    cache: BoundedCache[str, int] = BoundedCache(8)

    def at_least(count: int) -> int:
        return cache.get_or_renew(
            "key", lambda value: value >= count, lambda old: count if old is None else old + 1
        )

    assert [at_least(count) for count in (3, 3, 2, 4, 4)] == [3, 3, 3, 4, 4]


def test_a_value_that_is_larger_than_the_bound_is_given_and_not_kept() -> None:
    cache: BoundedCache[str, bytes] = BoundedCache(3, len)
    cache.put("small", b"ab")
    assert cache.get_or_make("large", lambda: b"abcd") == b"abcd"
    assert cache.get("large") is None
    assert cache.get("small") == b"ab"
