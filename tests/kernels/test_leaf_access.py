"""Single leaves of the newest rows, and values put where rows have none: as a table would have it; digests of rows."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.stores import span
from store.kit import otlp_traces
from tracestore.errors import PayloadError
from tracestore.variant import Shredder

NUMBER = (
    st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63 - 1)
    | st.text()
)
ROWS = st.lists(NUMBER, max_size=20)
COST = ("metrics", "estimated_cost")


def lines(values: list[Any], first: int = 0) -> bytes:
    rows = [
        span(number, **({} if value is None else {"metrics": {"estimated_cost": value}}))
        for number, value in enumerate(values, first)
    ]
    return "\n".join(json.dumps(row) for row in rows).encode()


def column(shredder: Shredder, name: str) -> list[Any]:
    table = shredder.export()
    return table.column(name).to_pylist() if name in table.column_names else [None] * len(table)


@given(before=ROWS, newest=ROWS, chosen=st.data())
def test_numbers_take_the_place_of_nothing_and_of_nothing_else(
    before: list[Any], newest: list[Any], chosen: st.DataObject
) -> None:
    shredder = Shredder("spans")
    if before:
        shredder.append_json(lines(before))
    if newest:
        shredder.append_json(lines(newest, len(before)))
    start = len(before)
    places = chosen.draw(st.lists(st.booleans(), min_size=len(newest), max_size=len(newest)))
    rows = np.flatnonzero(places) + start
    values = np.array([0.5 + number for number in range(len(rows))])
    done = shredder.put_numbers(COST, start, rows, values)
    free = [int(row) for row in rows if newest[row - start] is None]
    assert done == len(free)
    put = dict(zip(rows.tolist(), values.tolist(), strict=True))
    floats = [value if isinstance(value, float) else None for value in [*before, *newest]]
    for row in free:
        floats[row] = put[row]
    integers = [value if isinstance(value, int) else None for value in [*before, *newest]]
    assert column(shredder, "metrics.estimated_cost:f64") == floats
    assert column(shredder, "metrics.estimated_cost:i64") == integers
    own = shredder.leaf_values(COST, "f64", start)
    if own is not None:
        assert own.to_pylist() == floats[start:]
    else:
        assert all(value is None for value in floats)
    # Rows that come later go on as before.
    shredder.append_json(lines([1.25], len(floats)))
    assert column(shredder, "metrics.estimated_cost:f64") == [*floats, 1.25]


def test_a_text_is_put_unless_a_row_has_one_already() -> None:
    shredder = Shredder("spans")
    shredder.append_json(lines([None, None, None]))
    path = ("metadata", "cost_estimated_by")
    assert shredder.put_text(path, 1, np.array([1, 2]), "list") == 2
    assert column(shredder, "metadata.cost_estimated_by:str") == [None, "list", "list"]
    assert shredder.put_text(path, 2, np.array([2]), "other") == 0
    assert column(shredder, "metadata.cost_estimated_by:str") == [None, "list", "list"]


@pytest.mark.parametrize("rows", [[0], [3], [2, 1], [1, 1], [-1], [2**40]])
def test_rows_out_of_their_place_are_refused(rows: list[int]) -> None:
    shredder = Shredder("spans")
    shredder.append_json(lines([None, None, None]))
    with pytest.raises(ValueError, match="out of its place"):
        shredder.put_numbers(COST, 1, np.array(rows), np.ones(len(rows)))
    with pytest.raises(ValueError, match="cannot read rows"):
        shredder.leaf_values(COST, "f64", 4)


def test_looking_for_a_path_adds_none() -> None:
    shredder = Shredder("spans")
    shredder.append_json(lines([None]))
    before = shredder.leaf_counts()
    assert shredder.leaf_values(("metrics", "nowhere", "at all"), "f64", 0) is None
    assert shredder.leaf_counts() == before


# --- digests ------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from([span(1), span(2), span(1, name="other")]), max_size=8))
def test_rows_have_equal_digests_where_they_were_sent_as_the_same(rows: list[Any]) -> None:
    for body, append in (
        ("\n".join(map(json.dumps, rows)).encode(), "append_json"),
        (otlp_traces(rows), "append_otlp"),
    ):
        first, second = Shredder("spans"), Shredder("spans")
        if rows:
            getattr(first, append)(body)
            getattr(second, append)(body)
        digests = first.digests()
        assert digests.tolist() == second.digests().tolist()
        assert len(digests) == len(rows)
        for one, digest in zip(rows, digests, strict=True):
            for other, again in zip(rows, digests, strict=True):
                assert (digest == again) == (one == other)


def test_what_is_taken_back_has_no_digest() -> None:
    shredder = Shredder("spans")
    whole = otlp_traces([span(1)])
    shredder.append_otlp(whole)
    with pytest.raises(PayloadError):
        shredder.append_otlp(otlp_traces([span(2), span(3)])[:-3])
    assert len(shredder.digests()) == 1
    with pytest.raises(ValueError, match="cannot give digests"):
        shredder.digests(0, 2)
    shredder.append_otlp(whole)
    one, two = shredder.digests()
    assert one == two
    assert Shredder("logs").digests().tolist() == []
