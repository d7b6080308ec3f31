"""JSONTestSuite: `y_` is read and comes back, `n_` is refused, `i_` is one of the two."""

from __future__ import annotations

import pytest

from data import shared
from kernels import check, observed, reference
from tracestore.variant import Shredder, unshred

SUITE = "conformance/JSONTestSuite/test_parsing"
TRANSFORM = "conformance/JSONTestSuite/test_transform"


def shred(name: str) -> tuple[bytes, Shredder, list[tuple[int, int, str]]]:
    data = shared.require(name).read_bytes()
    shredder = Shredder(table="json", **check.DENSE)
    report = shredder.append_json(data)
    assert report.rows == shredder.rows
    return data, shredder, report.rejected


def comes_back(data: bytes, shredder: Shredder) -> None:
    table = shredder.finish()
    assert observed.rows(table) == [reference.shred_json(data)]
    for read in (table, check.through_parquet(table)):
        assert observed.json_lines(unshred(read)) == [reference.canon(reference.parse(data))]


@pytest.mark.parametrize("name", shared.names(f"{SUITE}/y_*"))
def test_y_is_read_and_comes_back(name: str) -> None:
    data, shredder, rejected = shred(name)
    assert (shredder.rows, rejected) == (1, [])
    comes_back(data, shredder)


@pytest.mark.parametrize("name", shared.names(f"{SUITE}/n_*"))
def test_n_is_refused(name: str) -> None:
    data, shredder, rejected = shred(name)
    assert shredder.rows == 0
    # A file of nothing but space (or a byte order mark) holds no row that could be refused.
    assert bool(rejected) == bool(data.removeprefix(b"\xef\xbb\xbf").strip())


@pytest.mark.parametrize("name", shared.names(f"{SUITE}/i_*"))
def test_i_is_read_or_refused(name: str) -> None:
    data, shredder, rejected = shred(name)
    assert shredder.rows + len(rejected) >= 1
    if not rejected and shredder.rows == 1 and not data.startswith(b"\xef\xbb\xbf"):
        comes_back(data, shredder)


@pytest.mark.parametrize("name", shared.names(f"{TRANSFORM}/*.json"))
def test_what_parsers_transform_differently_comes_back(name: str) -> None:
    data, shredder, rejected = shred(name)
    assert (shredder.rows, rejected) == (1, [])
    comes_back(data, shredder)
