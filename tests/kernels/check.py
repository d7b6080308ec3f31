"""Holds the kernels' output against the reference twins: what most tests here end with."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from kernels import observed, reference, reference_otlp
from tracestore.variant import Shredder, unshred

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

# Every leaf earns a column, or (the defaults, with few rows) none does: both are looked at.
DENSE: dict[str, Any] = {"min_leaf_rows": 1, "min_leaf_density": 0.0, "max_leaf_columns": 100_000}
DEFAULTS: dict[str, Any] = {}
CONTENT_TYPES = {"protobuf": "application/x-protobuf", "json": "application/json"}


def through_parquet(table: pa.Table) -> pa.Table:
    """Returns a table written to a Parquet file and read back."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(io.BytesIO(file.getvalue()))


def shred_json(texts: Iterable[bytes | str], **options: Any) -> pa.Table:
    """Returns the table of JSON texts, one a row, none of them refused."""
    lines = [text.encode() if isinstance(text, str) else text for text in texts]
    shredder = Shredder(table="json", **options)
    report = shredder.append_json(b"\n".join(lines) + b"\n")
    assert report.rejected == []
    assert report.rows == len(lines)
    table = shredder.finish()
    assert shredder.rows == 0
    return table


def json_rows(texts: list[str], **options: Any) -> None:
    """Asserts that rows are shredded as the twin does and come back as they were."""
    expected = [reference.shred_json(text) for text in texts]
    values = [reference.canon(reference.parse(text)) for text in texts]
    table = shred_json(texts, **options)
    observed.check_layout(table)
    assert observed.rows(table) == expected
    assert observed.json_lines(unshred(table)) == values
    stored = through_parquet(table)
    assert observed.rows(stored) == expected
    assert observed.json_lines(unshred(stored)) == values


def otlp_table(table: pa.Table, signal: str, expected: reference_otlp.Shredded) -> None:
    """Asserts that a table holds what the twin made of a request."""
    traces = signal == "traces"
    names = reference_otlp.SPAN_COLUMNS if traces else reference_otlp.LOG_COLUMNS
    observed.check_layout(table, names)
    found = observed.fixed_rows(table, names)
    wanted = [{name: row[name] for name in names} for row in expected.fixed]
    assert found == wanted
    assert observed.rows(table) == expected.leaves


def otlp_report(report: Any, expected: reference_otlp.Shredded) -> None:
    """Asserts that a report counts what the twin counted."""
    assert report.rows == len(expected.fixed)
    assert [row for row, _, _ in report.rejected] == expected.rejected


def otlp_request(request: Any, signal: str, **options: Any) -> None:
    """Asserts that a request message gives the twin's rows in both encodings."""
    expected = reference_otlp.shred_message(request, signal)
    bodies = {
        "protobuf": request.SerializeToString(),
        "json": reference_otlp.encode_json(request),
    }
    for encoding, body in bodies.items():
        shredder = Shredder(table="spans" if signal == "traces" else "logs", **options)
        report = shredder.append_otlp(body, signal=signal, content_type=CONTENT_TYPES[encoding])
        otlp_report(report, expected)
        otlp_table(shredder.finish(), signal, expected)
