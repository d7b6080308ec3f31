"""Parquet's VARIANT: files of others are read, shredded or not, broken ones refused; others read what is written."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import random
import re
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tracestore
from data import shared
from tracestore.exports import export
from tracestore.importing import ImportFileError, requests_of
from tracestore.parquet_files.errors import ParquetFileError
from tracestore.parquet_files.footer import marked, variant_columns
from tracestore.parquet_files.rows import parquet_rows
from tracestore.parquet_files.variant_column import json_column
from tracestore.parquet_files.variant_value import decode, encode, field_names, json_text

SUITE = ("conformance", "parquet-testing")
VALUE = pa.struct([("value", pa.binary())])


def cases(*, valid: bool) -> list[dict[str, Any]]:
    folder = shared.root()
    if (
        folder is None
        or not (path := folder.joinpath(*SUITE, "shredded_variant", "cases.json")).exists()
    ):
        return []
    found = [case for case in json.loads(path.read_text()) if "parquet_file" in case]
    return [case for case in found if ("error_message" not in case) == valid]


def file_of(case: dict[str, Any], name: str) -> Path:
    return shared.require(*SUITE, "shredded_variant", name or case["parquet_file"])


def parts(data: bytes) -> tuple[bytes, bytes]:
    """Returns the metadata and the value that stand one behind the other."""
    size = (data[0] >> 6) + 1
    count = int.from_bytes(data[1 : 1 + size], "little")
    at = 1 + size + count * size
    end = at + size + int.from_bytes(data[at : at + size], "little")
    return data[:end], data[end:]


def expected(case: dict[str, Any]) -> list[Any]:
    names = [case["variant_file"]] if "variant_file" in case else case["variant_files"]
    found: list[Any] = []
    for name in names:
        if name is None:
            found.append(None)
        else:
            metadata, value = parts(file_of(case, name).read_bytes())
            found.append(json.loads(json_text(decode(value, field_names(metadata)))))
    return found


def test_the_suite_is_whole() -> None:
    shared.require(*SUITE, "shredded_variant")
    assert (len(cases(valid=True)), len(cases(valid=False))) == (131, 6)


@pytest.mark.parametrize("case", cases(valid=True), ids=lambda case: case["parquet_file"])
def test_a_valid_file_of_the_suite_has_its_values(case: dict[str, Any]) -> None:
    rows = [
        json.loads(line) for part in parquet_rows(file_of(case, "")) for line in part.splitlines()
    ]
    assert [row.get("var") for row in rows] == expected(case)


@pytest.mark.parametrize("case", cases(valid=False), ids=lambda case: case["parquet_file"])
def test_an_invalid_file_of_the_suite_is_refused(case: dict[str, Any]) -> None:
    with pytest.raises(ParquetFileError):
        list(parquet_rows(file_of(case, "")))


def test_values_of_the_suite_are_what_its_dictionary_says() -> None:
    folder = shared.require(*SUITE, "variant")
    # It has a comma behind its last field.
    text = re.sub(r",(\s*})", r"\1", (folder / "data_dictionary.json").read_text())
    told = json.loads(text)
    for name, wanted in told.items():
        names = field_names((folder / f"{name}.metadata").read_bytes())
        found = decode((folder / f"{name}.value").read_bytes(), names)
        if isinstance(wanted, dict | list | bool | int | None) or "string" in name:
            assert json.loads(json_text(found)) == wanted, name


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**38) + 1, 10**38 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner, max_size=5
        )
    ),
    max_leaves=30,
)


@given(json_values)
def test_what_is_encoded_is_decoded_again(value: Any) -> None:
    metadata, data = encode(value)
    assert json.loads(json_text(decode(data, field_names(metadata)))) == value


def test_large_values_take_the_large_forms() -> None:
    value = {f"key {number}": [number] * 300 for number in range(300)} | {"text": "x" * 70_000}
    metadata, data = encode(value)
    assert decode(data, field_names(metadata)) == value
    assert decode(encode(10**40)[1], []) == 1e40


def test_bytes_of_anybody_are_values_or_are_refused() -> None:
    chance = random.Random(7)
    metadata, good = encode({"a": [1, {"b": "text"}], "c": 1.5})
    names = field_names(metadata)
    for _ in range(5000):
        data = bytearray(good if chance.random() < 0.7 else chance.randbytes(chance.randint(0, 40)))
        for _ in range(chance.randint(1, 3)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        for read in (lambda raw: decode(raw, names), field_names):
            try:
                read(bytes(data[: chance.randint(0, len(data))]))
            except ParquetFileError:
                continue


def test_a_value_that_holds_itself_over_and_over_is_refused() -> None:
    # A hundred arrays of two, whose both offsets point to the next.
    data = b"".join(bytes([3, 2, 0, 0, 1]) for _ in range(100)) + b"\0"
    with pytest.raises(ParquetFileError, match="twice"):
        decode(data, [])
    deep = b"\0"
    for _ in range(300):
        size = len(deep)
        deep = (
            bytes([3 | 1 << 2, 1]) + (0).to_bytes(2, "little") + size.to_bytes(2, "little") + deep
        )
    with pytest.raises(ParquetFileError, match="deep"):
        decode(deep, [])


def test_a_file_that_is_cut_or_changed_is_refused_or_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_shredded(path)
    whole = path.read_bytes()
    chance = random.Random(3)
    for _ in range(150):
        data = bytearray(whole[: chance.randint(0, len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randint(1, 4)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            list(requests_of(path))
        except ImportFileError:
            continue


def write_shredded(path: Path) -> None:
    """Writes a file with one VARIANT in which `model` is shredded as text, `n` as a number, and the rest is not."""
    rows: list[dict[str, Any] | None] = [
        {"model": "a", "n": 1, "rest": [True]},
        {"model": 5, "n": 2},
        {"n": "three"},
        None,
    ]
    metadata, values, models, numbers = [], [], [], []
    for row in rows:
        known, rest = encode({} if row is None else row)
        own = {} if row is None else row
        _, rest = encode_with(own, {key: own[key] for key in own if key not in {"model", "n"}})
        metadata.append(known)
        values.append(rest if "rest" in own else None)
        models.append(shredded(own, "model", str))
        numbers.append(shredded(own, "n", int))
    group = pa.StructArray.from_arrays(
        [
            pa.array(metadata, pa.binary()),
            pa.array(values, pa.binary()),
            pa.StructArray.from_arrays(
                [field_group(models, pa.string()), field_group(numbers, pa.int64())],
                names=["model", "n"],
            ),
        ],
        fields=[
            pa.field("metadata", pa.binary(), nullable=False),
            pa.field("value", pa.binary()),
            pa.field(
                "typed_value",
                pa.struct([("model", group_type(pa.string())), ("n", group_type(pa.int64()))]),
            ),
        ],
        mask=pa.array([row is None for row in rows]),
    )
    table = pa.table({"name": ["w", "x", "y", "z"], "attributes": group})
    pq.write_table(table, path)
    path.write_bytes(marked(path.read_bytes(), frozenset({"attributes"})))


def group_type(kind: pa.DataType) -> pa.DataType:
    return pa.struct([("value", pa.binary()), ("typed_value", kind)])


def field_group(pairs: list[tuple[bytes | None, Any]], kind: pa.DataType) -> pa.Array:
    return pa.StructArray.from_arrays(
        [
            pa.array([plain for plain, _ in pairs], pa.binary()),
            pa.array([typed for _, typed in pairs], kind),
        ],
        names=["value", "typed_value"],
    )


def shredded(row: dict[str, Any], name: str, kind: type) -> tuple[bytes | None, Any]:
    if name not in row:
        return None, None
    value = row[name]
    return (None, value) if isinstance(value, kind) else (encode(value)[1], None)


def encode_with(whole: dict[str, Any], part: dict[str, Any]) -> tuple[bytes, bytes]:
    """Returns the bytes of a part of an object whose names are those of the whole."""
    metadata, _ = encode(whole)
    names = {name: number for number, name in enumerate(field_names(metadata))}
    from tracestore.parquet_files.variant_value import _encoded

    return metadata, _encoded(part, names)


def test_rows_of_a_shredded_file_are_imported(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    write_shredded(path)
    assert variant_columns(path) == {"attributes"}
    with tracestore.open(tmp_path / "store", background=False) as store:
        for payload in requests_of(path):
            store.insert("spans", payload.body)
        rows = store.sql("SELECT name, attributes FROM spans ORDER BY name").rows()
    assert [row["attributes"] for row in rows] == [
        {"model": "a", "n": 1, "rest": [True]},
        {"model": 5, "n": 2},
        {"n": "three"},
        None,
    ]


def test_an_export_is_variant_to_duckdb_and_comes_back(tmp_path: Path) -> None:
    attributes = [
        {"text": "häß", "n": 1, "half": 0.5, "deep": {"list": [1, "a", None, {"b": True}]}},
        {"n": -(2**62), "exact": 2**64, "": "no name", "A": 1, "a": 2},
        None,
        {},
    ]
    path = tmp_path / "rows.parquet"
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert(
            "spans",
            [
                {"name": str(number), "attributes": each}
                if each is not None
                else {"name": str(number)}
                for number, each in enumerate(attributes)
            ],
        )
        sql = "SELECT name, attributes, start_time FROM spans ORDER BY name"
        export(store, sql, str(path), format="variant")
        wanted = store.sql(sql).rows()
    assert variant_columns(path) == {"attributes"}
    assert "Variant" in str(pq.ParquetFile(path).schema)
    found = duckdb.execute(
        f"SELECT typeof(attributes), attributes.n::BIGINT FROM '{path}' ORDER BY name"
    ).fetchall()
    assert found[0] == ("VARIANT", 1) and found[1] == ("VARIANT", -(2**62))
    lines = [json.loads(line) for part in parquet_rows(path) for line in part.splitlines()]
    assert [line.get("attributes") for line in lines] == [row["attributes"] for row in wanted]
    assert [line["name"] for line in lines] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("format_name", ["parquet", "variant"])
def test_whole_spans_come_back_as_they_were(tmp_path: Path, format_name: str) -> None:
    span = {
        "trace_id": "a" * 32,
        "span_id": "b" * 16,
        "name": "x",
        "start_ns": 1_790_000_000_000_000_123,
        "duration_ns": 5,
        "attributes": {"n": 1, "list": [1, None], "nothing": None},
        "scores": {"a": 0.5},
        "tags": ["t"],
        "events": [{"name": "e"}],
        "output": None,
    }
    path = tmp_path / "rows.parquet"
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", [span, {"name": "bare", "start_ns": 1_790_000_000_000_000_124}])
        export(store, "SELECT * FROM spans ORDER BY start_ns", str(path), format=format_name)
        wanted = store.sql("SELECT * FROM spans ORDER BY start_ns").rows()
    with tracestore.open(tmp_path / "other", background=False) as store:
        for payload in requests_of(path):
            store.insert("spans", payload.body)
        assert store.sql("SELECT * FROM spans ORDER BY start_ns").rows() == wanted


def test_what_duckdb_shreds_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    duckdb.sql(
        "COPY (SELECT i AS id, {'a': i, 'b': 'text ' || i, 'c': [i, i + 1], 'd': {'e': i / 2}}::VARIANT AS var "
        f"FROM range(3) t(i)) TO '{path}' (FORMAT parquet)"
    )
    rows = [json.loads(line) for part in parquet_rows(path) for line in part.splitlines()]
    assert [row["var"] for row in rows] == [
        {"a": i, "b": f"text {i}", "c": [i, i + 1], "d": {"e": i / 2}} for i in range(3)
    ]


def test_plain_columns_of_a_file_are_values(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
    table = pa.table(
        {
            "name": ["a"],
            "start_time": pa.array([moment], pa.timestamp("us", tz="UTC")),
            "attributes": [
                {"money": decimal.Decimal("1.50"), "list": [1, None], "day": dt.date(2026, 1, 2)}
            ],
        }
    )
    pq.write_table(table, path)
    with tracestore.open(tmp_path / "store", background=False) as store:
        for payload in requests_of(path):
            store.insert("spans", payload.body)
        [row] = store.sql("SELECT name, start_time, attributes FROM spans").rows()
    assert row["start_time"] == moment
    assert row["attributes"] == {"money": 1.5, "list": [1, None], "day": "2026-01-02"}


def test_a_group_that_is_no_variant_is_refused() -> None:
    for kind in (pa.int64(), VALUE):
        with pytest.raises(ParquetFileError):
            json_column(pa.nulls(1, kind))
