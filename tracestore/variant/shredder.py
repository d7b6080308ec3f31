"""The front of the native shredder: payloads in, shredded Arrow tables out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import pyarrow as pa

from tracestore import _native, limits
from tracestore.arrow_compute import pc
from tracestore.content_types import JSON, PROTOBUF
from tracestore.variant.compiled_conventions import CONVENTIONS
from tracestore.variant.merging import append_table
from tracestore.variant.report import Report
from tracestore.variant.tables import SPANS, TABLES, TIMESTAMP, TableSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TABLE_OF_SIGNAL = {"traces": "spans", "logs": "logs"}
_NS_PER_US = 1000
_NS_PER_S = 1e9


class Shredder:
    """A builder of the rows of one table: one leaf column for each path and type.

    One appender at a time: a second thread inside the same shredder gets RuntimeError. The GIL is released
    while bytes are read and columns built, so several shredders work in parallel.

    Args:
        table: `json` for free rows; `spans`, `logs` or `dataset_rows` for a table with fixed columns.
        max_leaf_columns: leaf columns of a finished table at most.
        min_leaf_rows: rows from which a leaf earns a column.
        min_leaf_density: share of the rows from which a leaf earns a column; both bounds must be met.
        max_paths: distinct paths held; values of later paths stay as text and are counted.
        conventions: whether attributes of OTLP spans tell `type`, `input`, `output` and so on as well
            (tracestore.variant.conventions); else spans are as they came.
    """

    def __init__(
        self,
        table: str = "json",
        *,
        max_leaf_columns: int = limits.MAX_LEAF_COLUMNS,
        min_leaf_rows: int = limits.MIN_LEAF_ROWS,
        min_leaf_density: float = limits.MIN_LEAF_DENSITY,
        max_paths: int = limits.MAX_PATHS,
        conventions: bool = False,
    ) -> None:
        if table not in TABLES:
            raise ValueError(f"cannot shred into table {table!r}: want one of {', '.join(TABLES)}")
        self.spec: TableSpec = TABLES[table]
        self._max_leaf_columns = max_leaf_columns
        self._min_leaf_rows = min_leaf_rows
        self._min_leaf_density = min_leaf_density
        self._builder = _native.Builder(self.spec, max_paths, limits.MAX_PATH_BYTES)
        self._conventions = CONVENTIONS if conventions and table == SPANS.name else None

    @property
    def rows(self) -> int:
        """Returns the rows held."""
        return self._builder.rows

    @property
    def nbytes(self) -> int:
        """Returns the bytes of memory held."""
        return self._builder.nbytes

    def append_json(
        self,
        payload: bytes | bytearray | memoryview,
        *,
        project: str = "default",
        experiment: str | None = None,
        only_project: str | None = None,
    ) -> Report:
        """Appends newline-delimited JSON; a bad row is refused alone.

        Args:
            payload: UTF-8 bytes. Free rows hold any value; rows of a table are objects whose keys are its
                columns: ids as hex, times as ISO 8601 text or whole nanoseconds in the `_ns` columns.
            project: the project of rows that name none.
            experiment: the experiment of rows that name none.
            only_project: keeps only the rows of this project.
        """
        before = self._builder.spilled_values
        rows, rejected, rejected_rows, repaired = _native.append_json(
            self._builder, payload, project.encode(), _encoded(experiment), _encoded(only_project)
        )
        return Report(
            rows, rejected, rejected_rows, repaired, self._builder.spilled_values - before
        )

    def append_otlp(
        self,
        body: bytes | bytearray | memoryview,
        *,
        signal: str = "traces",
        content_type: str = PROTOBUF,
        project: str = "default",
        experiment: str | None = None,
        only_project: str | None = None,
        arrived_ns: int = 0,
    ) -> Report:
        """Appends one OTLP export request; a bad span or log record is refused alone.

        Args:
            body: the request, decompressed.
            signal: `traces` into a shredder of spans, `logs` into one of logs.
            content_type: `application/x-protobuf` or `application/json`; parameters are ignored.
            project: the project of resources without the attribute `tracestore.project`.
            experiment: the experiment of resources without the attribute `tracestore.experiment`.
            only_project: shreds only rows of this project.
            arrived_ns: the time of log records that name none.

        Raises:
            PayloadError: where the request's framing is broken; the shredder is as it was.
            ValueError: where the signal or content type is another.
        """
        if _TABLE_OF_SIGNAL.get(signal) != self.spec.name:
            raise ValueError(f"cannot shred signal {signal!r} into table {self.spec.name!r}")
        before = self._builder.spilled_values
        rows, rejected, rejected_rows, repaired = _native.append_otlp(
            self._builder,
            body,
            _is_json(content_type),
            project.encode(),
            _encoded(experiment),
            _encoded(only_project),
            self._conventions,
            arrived_ns,
        )
        return Report(
            rows, rejected, rejected_rows, repaired, self._builder.spilled_values - before
        )

    def append_table(self, table: pa.Table) -> int:
        """Appends the rows of a shredded table and returns their number; derived columns are ignored.

        Raises:
            PayloadError: where the table is not shredded; the rows of its batches before the one at fault stay.
        """
        return append_table(self._builder, self.spec, table)

    def leaf_counts(self) -> list[tuple[str, str, int]]:
        """Returns (path text, type, rows) of every leaf that holds a value, in no order."""
        return self._builder.leaf_counts()

    def fixed_column(self, name: str, start: int = 0, stop: int | None = None) -> pa.Array:
        """Returns a copy of rows [start, stop) of one stored column, e.g. `start_ns` or `trace_id`."""
        names = [stored for stored, _ in self.spec.stored]
        stop = self.rows if stop is None else stop
        batch = _native.fixed_column(self._builder, names.index(name), start, stop)
        return pa.record_batch(batch).column(0)

    def leaf_values(self, path: Sequence[str], leaf_type: str, start: int) -> pa.Array | None:
        """Returns one leaf of the rows from `start` on, None where no row has it."""
        number = _native.LEAF_TYPE_NAMES.index(leaf_type)
        batch = _native.leaf_values(self._builder, _keys(path), number, start, self.rows)
        return None if batch is None else pa.record_batch(batch).column(0)

    def put_numbers(
        self,
        path: Sequence[str],
        start: int,
        rows: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> int:
        """Gives rows from `start` on a number at a path where they have nothing; returns how many took it."""
        return _native.put_values(self._builder, _keys(path), start, rows, values, None)

    def put_text(self, path: Sequence[str], start: int, rows: NDArray[np.int64], text: str) -> int:
        """Gives rows from `start` on a text at a path; none, where a row from there on has a text at it."""
        return _native.put_values(
            self._builder, _keys(path), start, rows, np.empty(0), text.encode()
        )

    def digests(self, start: int = 0, stop: int | None = None) -> NDArray[np.uint64]:
        """Returns a hash of what each of the rows [start, stop) was sent as; for spans of payloads only."""
        stop = self.rows if stop is None else stop
        return np.frombuffer(_native.row_digests(self._builder, start, stop), np.uint64)

    def export(
        self, start: int = 0, stop: int | None = None, *, dictionary: bool = False
    ) -> pa.Table:
        """Returns a copy of rows [start, stop) with every leaf as a column; the shredder keeps them.

        Beyond `limits.MAX_EXPORT_COLUMNS` leaves, the rarest stay in `_overflow`.
        """
        stop = self.rows if stop is None else stop
        batch, _ = _native.export(
            self._builder, start, stop, None, limits.MAX_EXPORT_COLUMNS, 1, 0.0, dictionary, False
        )
        return self._table(batch)

    @overload
    def build(
        self,
        *,
        tail: Literal[True],
        dictionary: bool = ...,
        order: NDArray[np.integer[Any]] | None = ...,
        leaf_columns: int | None = ...,
    ) -> tuple[pa.Table, pa.Table]: ...
    @overload
    def build(
        self,
        *,
        tail: Literal[False] = ...,
        dictionary: bool = ...,
        order: NDArray[np.integer[Any]] | None = ...,
        leaf_columns: int | None = ...,
    ) -> pa.Table: ...
    def build(
        self,
        *,
        tail: bool = False,
        dictionary: bool = False,
        order: NDArray[np.integer[Any]] | None = None,
        leaf_columns: int | None = None,
    ) -> pa.Table | tuple[pa.Table, pa.Table]:
        """Returns the finished table, and with `tail` its tail; the shredder keeps its rows.

        Args:
            tail: whether the tail is wanted as a second table, sorted by (path, row).
            dictionary: whether `str` and `json[]` columns come dictionary-encoded.
            order: numbers of the rows in output order; rows left out are dropped.
            leaf_columns: how many of the densest leaves get a column; None for those that earn one.

        Raises:
            ValueError: where `order` names a row twice or one that does not exist.
            LimitExceededError: where a column would pass 2 GiB.
        """
        rows = None if order is None else np.ascontiguousarray(order, dtype=np.int64)
        bounds = (self._max_leaf_columns, self._min_leaf_rows, self._min_leaf_density)
        batch, tail_batch = _native.export(
            self._builder,
            0,
            self.rows,
            rows,
            *(bounds if leaf_columns is None else (leaf_columns, 1, 0.0)),
            dictionary,
            tail,
        )
        table = self._table(batch)
        if tail_batch is None:
            return table
        return table, pa.table(pa.record_batch(tail_batch))

    @overload
    def finish(
        self,
        *,
        tail: Literal[True],
        dictionary: bool = ...,
        order: NDArray[np.integer[Any]] | None = ...,
        leaf_columns: int | None = ...,
    ) -> tuple[pa.Table, pa.Table]: ...
    @overload
    def finish(
        self,
        *,
        tail: Literal[False] = ...,
        dictionary: bool = ...,
        order: NDArray[np.integer[Any]] | None = ...,
        leaf_columns: int | None = ...,
    ) -> pa.Table: ...
    def finish(
        self,
        *,
        tail: bool = False,
        dictionary: bool = False,
        order: NDArray[np.integer[Any]] | None = None,
        leaf_columns: int | None = None,
    ) -> pa.Table | tuple[pa.Table, pa.Table]:
        """Returns what `build` returns and empties the shredder."""
        if tail:
            result: pa.Table | tuple[pa.Table, pa.Table] = self.build(
                tail=True, dictionary=dictionary, order=order, leaf_columns=leaf_columns
            )
        else:
            result = self.build(dictionary=dictionary, order=order, leaf_columns=leaf_columns)
        self._builder.clear()
        return result

    def _table(self, batch: _native.ArrowBatch) -> pa.Table:
        """Returns the public columns of a native batch: fixed, derived, leaves, `_overflow`."""
        native = pa.record_batch(batch)
        stored = {name: native.column(i) for i, (name, _) in enumerate(self.spec.stored)}
        names = list(self.spec.columns)
        arrays = [stored[name] if name in stored else _DERIVED[name](stored) for name in names]
        for i in range(len(stored), native.num_columns):
            names.append(native.schema.field(i).name)
            arrays.append(native.column(i))
        return pa.Table.from_arrays(arrays, names=names)


def otlp_projects(
    body: bytes | bytearray | memoryview,
    *,
    signal: str = "traces",
    content_type: str = PROTOBUF,
    default: str = "default",
) -> list[str]:
    """Returns the distinct projects that the resources of an OTLP request resolve to.

    Raises:
        PayloadError: where the request's framing is broken.
        ValueError: where the content type is another.
    """
    names = _native.otlp_projects(body, _is_json(content_type), signal == "logs")
    return list(dict.fromkeys(default if name is None else name.decode() for name in names))


def json_projects(
    payload: bytes | bytearray | memoryview, *, table: str = "spans", default: str = "default"
) -> list[str]:
    """Returns the distinct projects that rows of newline-delimited JSON resolve to.

    Rows are read as `append_json` reads them, so both agree on every row.
    """
    keys = _native.row_keys(payload, ((b"project",),))
    if keys is not None and keys[1] == (0,):
        return [default]
    shredder = Shredder(table)
    shredder.append_json(payload, project=default)
    projects: list[str] = shredder.fixed_column("project").unique().to_pylist()
    return projects or [default]


def _is_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    kind = PROTOBUF if kind == "application/protobuf" else kind
    if kind not in {PROTOBUF, JSON}:
        raise ValueError(f"cannot read content type {content_type!r}: want {PROTOBUF} or {JSON}")
    return kind == JSON


def _keys(path: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(key.encode() for key in path)


def _encoded(text: str | None) -> bytes | None:
    return None if text is None else text.encode()


def _microseconds(nanoseconds: pa.Array) -> pa.Array:
    """Returns whole microseconds, rounded down, as timestamps; computed in numpy for its floor division."""
    values = nanoseconds.fill_null(0).to_numpy(zero_copy_only=False) // _NS_PER_US
    mask = nanoseconds.is_null().to_numpy(zero_copy_only=False) if nanoseconds.null_count else None
    return pa.array(values, type=pa.int64(), mask=mask).cast(TIMESTAMP)


def _end(start_ns: pa.Array, duration_ns: pa.Array) -> pa.Array:
    """Returns the ends, added as microseconds: nanoseconds of a start and a duration that fit may not fit together."""
    start, start_rest = np.divmod(start_ns.fill_null(0).to_numpy(), _NS_PER_US)
    duration, duration_rest = np.divmod(duration_ns.fill_null(0).to_numpy(), _NS_PER_US)
    values = start + duration + (start_rest + duration_rest) // _NS_PER_US
    is_missing = pc.or_(start_ns.is_null(), duration_ns.is_null())
    mask = is_missing.to_numpy(zero_copy_only=False)
    return pa.array(values, type=pa.int64(), mask=mask).cast(TIMESTAMP)


_DERIVED: dict[str, Callable[[dict[str, pa.Array]], pa.Array]] = {
    "is_root": lambda stored: pc.is_null(stored["parent_span_id"]),
    "start_time": lambda stored: _microseconds(stored["start_ns"]),
    "end_time": lambda stored: _end(stored["start_ns"], stored["duration_ns"]),
    "duration": lambda stored: pc.divide(
        stored["duration_ns"].cast(pa.float64(), safe=False), _NS_PER_S
    ),
    "time": lambda stored: _microseconds(stored["time_ns"]),
    "created": lambda stored: _microseconds(stored["created_ns"]),
}
