"""Lists of numbers come back from their bytes, whatever they are, and other bytes are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracestore import _native
from tracestore.variant import decode_list, encode_lists

LISTS = st.lists(
    st.tuples(
        st.lists(st.integers(0, 3000), unique=True, max_size=40).map(sorted),
        st.integers(0, 2**31 - 1),
    ),
    max_size=8,
)


def encoded(lists: list[list[int]], bounds: list[int]) -> list[bytes | None]:
    starts = np.cumsum([0, *map(len, lists)]).astype(np.int64)
    values = np.array([value for each in lists for value in each], np.int32)
    present = np.array([bool(each) for each in lists], np.bool_)
    array = encode_lists(starts, values, np.array(bounds, np.int32), present)
    found: list[bytes | None] = array.to_pylist()
    return found


@given(LISTS)
def test_lists_come_back(drawn: list[tuple[list[int], int]]) -> None:
    lists = [values for values, _ in drawn]
    bounds = [max(bound, values[-1] + 1 if values else 0) for values, bound in drawn]
    for values, bound, data in zip(lists, bounds, encoded(lists, bounds), strict=True):
        if data is None:
            assert values == []
        else:
            assert decode_list(data, bound).tolist() == values


@pytest.mark.parametrize("values", [[0], [2**31 - 2], list(range(300)), list(range(0, 900, 3))])
@pytest.mark.parametrize("more", [0, 1, 1000])
def test_edges_come_back_in_few_bytes(values: list[int], more: int) -> None:
    bound = min(values[-1] + 1 + more, 2**31 - 1)
    [data] = encoded([values], [bound])
    assert data is not None
    assert decode_list(data, bound).tolist() == values
    mean = bound / len(values)
    assert len(data) <= 4 + len(values) * (2.1 + np.log2(mean)) / 8 + 1


@given(st.binary(max_size=40), st.integers(1, 500))
def test_any_bytes_are_a_list_or_refused(data: bytes, bound: int) -> None:
    try:
        values = decode_list(data, bound).tolist()
    except ValueError:
        return
    assert values == sorted(set(values))
    assert 0 <= values[0] <= values[-1] < bound


def test_what_does_not_fit_together_is_refused() -> None:
    starts, bounds = np.array([0, 2], np.int64), np.array([9], np.int32)
    values, room = np.array([3, 8], np.int32), np.zeros(1, np.int64)
    _native.list_sizes(starts, bounds, room)
    places, out = np.array([0, room[0]], np.int64), np.zeros(room[0], np.uint8)
    _native.write_lists(starts, values, bounds, places, out)
    for wrong in ([8, 3], [3, 3], [3, 9], [-1, 3]):
        with pytest.raises(ValueError, match="not ascending"):
            _native.write_lists(starts, np.array(wrong, np.int32), bounds, places, out)
    with pytest.raises(ValueError, match="outside of the values"):
        _native.write_lists(starts, values[:1], bounds, places, out)
    with pytest.raises(ValueError, match="too little room"):
        _native.write_lists(starts, values, bounds, places, out[:-1])
    with pytest.raises(ValueError, match="a start"):
        _native.write_lists(starts[:1], values, bounds, places, out)
    with pytest.raises(ValueError, match="a start"):
        _native.list_sizes(starts, bounds, np.zeros(2, np.int64))
    with pytest.raises(ValueError, match="before it begins"):
        _native.list_sizes(starts[::-1].copy(), bounds, room)
