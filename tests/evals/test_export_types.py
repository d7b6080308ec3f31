"""Every type leaves in every format; what a format or Arrow has no form for leaves as text that says the value."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tracestore
from data import stores
from tracestore import Store
from tracestore.exports import export

VALUES: list[tuple[str, Any]] = [
    ("INTERVAL '1 month 2 seconds'", "P1M0DT2S"),
    ("end_time - start_time", "P0M0DT0.000001S"),
    ("[INTERVAL 1 DAY, NULL]", ["P0M1DT0S", None]),
    ("'a'::BLOB", "YQ=="),
    ("{'a': 'a'::BLOB, 'b': [{'c': 1}]}", {"a": "YQ==", "b": [{"c": 1}]}),
    ("[[1], [], NULL]", [[1], [], None]),
    ("MAP {'k': 1}", [["k", 1]]),
    ("MAP {}", []),
    ("{}", {}),
    ("union_value(a := 'x')", "x"),
    ("170141183460469231731687303715884105727::HUGEINT", 2**127 - 1),
    ("'-170141183460469231731687303715884105728'::HUGEINT", -(2**127)),
    ("[170141183460469231731687303715884105727::HUGEINT]", [2**127 - 1]),
    ("18446744073709551615::UBIGINT", 2**64 - 1),
    ("340282366920938463463374607431768211455::UHUGEINT", str(2**128 - 1)),
    ("[340282366920938463463374607431768211455::UHUGEINT]", [2**128 - 1]),
    (
        "123456789012345678901234567890123456789012::BIGNUM",
        "123456789012345678901234567890123456789012",
    ),
    ("'101'::BIT", "101"),
    ("{'bits': '101'::BIT}", {"bits": "101"}),
    ("'10:00:00+01'::TIMETZ", "10:00:00+01"),
    ("'x'::ENUM('x', 'BIT')", "x"),
    ("attributes.huge", 2**70),
    ("NULL", None),
]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with tracestore.open(tmp_path_factory.mktemp("types") / "store", background=False) as opened:
        opened.insert("spans", [stores.span(1, attributes={"huge": 2**70}, duration_ns=1000)])
        yield opened


def as_json(value: Any) -> Any:
    """Returns a cell as the JSON value that it spells, where it spells one."""
    if isinstance(value, bytes):
        value = value.decode()
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


@pytest.mark.parametrize(("sql", "wanted"), VALUES, ids=[sql for sql, _ in VALUES])
def test_a_value_is_the_same_in_every_format(
    sql: str, wanted: Any, store: Store, tmp_path: Path
) -> None:
    query = f"SELECT {sql} AS v, span_id FROM spans ORDER BY span_id"
    for kind in ("jsonl", "csv", "arrow", "parquet"):
        assert export(store, query, str(tmp_path / f"one.{kind}")).rows == 1
    line = json.loads((tmp_path / "one.jsonl").read_text())
    assert line["v"] == wanted
    with (tmp_path / "one.csv").open(newline="") as file:
        (cell,) = [row["v"] for row in csv.DictReader(file)]
    assert cell in {"", str(wanted)} or as_json(cell) == wanted
    with pa.ipc.open_stream(tmp_path / "one.arrow") as reader:
        assert reader.read_all().num_rows == 1
    assert pq.read_table(tmp_path / "one.parquet").num_rows == 1


def test_a_limit_is_of_the_whole_export_also_where_it_is_taken_up_again(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(_: object) -> None:
        raise StoppedError

    sql = "SELECT span_id FROM spans ORDER BY name, span_id LIMIT 20000 OFFSET 100"
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", [stores.span(number) for number in range(25_000)])
        wanted = [row["span_id"] for row in store.sql(sql).rows()]
        target = tmp_path / "some.jsonl"
        with pytest.raises(StoppedError):
            export(store, sql, str(target), on_progress=stop)
        done = export(store, sql, str(target), resume=True)
    assert done.rows == len(wanted) == 20_000
    assert [json.loads(line)["span_id"] for line in target.read_text().splitlines()] == wanted
