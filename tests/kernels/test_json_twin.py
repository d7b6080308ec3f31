"""JSON rows against the plain-Python twin, by property."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from kernels import check, observed, reference, strategies
from tracestore.variant import Shredder, unshred, unshred_values

OPTIONS = pytest.mark.parametrize(
    "options", [check.DENSE, check.DEFAULTS], ids=["all-columns", "all-overflow"]
)


@OPTIONS
@given(texts=strategies.batches)
def test_rows_shred_like_the_twin_and_come_back(options: dict[str, Any], texts: list[str]) -> None:
    check.json_rows(texts, **options)


@given(first=strategies.batches, second=strategies.batches)
def test_rows_of_several_appends_are_the_rows_of_one(first: list[str], second: list[str]) -> None:
    shredder = Shredder(table="json", **check.DENSE)
    for texts in (first, second):
        shredder.append_json("\n".join(texts).encode())
    expected = [reference.shred_json(text) for text in first + second]
    assert observed.rows(shredder.export()) == expected
    assert observed.rows(shredder.export(len(first))) == expected[len(first) :]
    assert observed.rows(shredder.finish()) == expected


@OPTIONS
@given(texts=strategies.batches)
def test_order_picks_and_sorts_rows(options: dict[str, Any], texts: list[str]) -> None:
    order = [row for row in range(len(texts)) if row % 3 != 1]
    random.Random(len(texts)).shuffle(order)
    shredder = Shredder(table="json", **options)
    shredder.append_json("\n".join(texts).encode())
    table = shredder.finish(order=np.array(order, dtype=np.uint32))
    assert observed.rows(table) == [reference.shred_json(texts[row]) for row in order]


@OPTIONS
@given(texts=strategies.batches)
def test_a_shredded_table_can_be_appended(options: dict[str, Any], texts: list[str]) -> None:
    expected = [reference.shred_json(text) for text in texts]
    table = check.shred_json(texts, **options)
    for read in (table, check.through_parquet(table)):
        again = Shredder(table="json", **check.DENSE)
        assert again.append_table(read) == len(texts)
        assert again.append_table(read) == len(texts)
        assert observed.rows(again.finish()) == expected + expected


@OPTIONS
@given(texts=strategies.batches)
def test_a_subtree_comes_back_alone(options: dict[str, Any], texts: list[str]) -> None:
    table = check.shred_json(texts, **options)
    values = [reference.parse(text) for text in texts]
    for key in ("a", "b", "a.b"):
        wanted = [value.get(key) if isinstance(value, dict) else None for value in values]
        path = reference.format_path((key,))
        lines = observed.json_lines(unshred(table, path))
        assert lines == [reference.canon(value) for value in wanted]
        for value, text in zip(values, unshred_values(table, path).to_pylist(), strict=True):
            present = isinstance(value, dict) and key in value
            assert (text is not None) == present
            if present:
                assert reference.canon(reference.parse(text)) == reference.canon(value[key])


@given(texts=strategies.batches)
def test_dictionary_encoded_leaves_hold_the_same_values(texts: list[str]) -> None:
    shredder = Shredder(table="json", **check.DENSE)
    shredder.append_json("\n".join(texts * 3).encode())
    plain = shredder.export()
    encoded = shredder.finish(dictionary=True)
    assert observed.rows(encoded) == observed.rows(plain)
    values = [reference.canon(reference.parse(text)) for text in texts * 3]
    assert observed.json_lines(unshred(encoded)) == values
