"""A dataset's row as JSON text: which fields it has, what it is called, and the line that the log keeps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tracestore import limits
from tracestore.errors import DatasetError
from tracestore.store.write.row_input import plain
from tracestore.variant import TABLES, input_key

FIELDS: Final = TABLES["dataset_rows"].variants
"""What a row holds beside its id, in the order of the table's variants."""


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """One row to keep.

    Attributes:
        row_id: names the row in its dataset.
        texts: JSON by field; a field that is missing or null is left out.
        digest: 64-bit hash of the fields, whatever the order of their keys.
    """

    row_id: str
    texts: dict[str, str]
    digest: int

    def line(self, dataset_id: str, version: int, created_ns: int) -> bytes:
        """Returns the row as the log keeps it."""
        head = {
            "dataset_id": dataset_id,
            "id": self.row_id,
            "version": version,
            "created_ns": created_ns,
            "digest": self.digest,
        }
        body = "".join(f',"{name}":{text}' for name, text in self.texts.items())
        return (json.dumps(head)[:-1] + body + "}").encode("utf-8", "surrogatepass")


def rows_of(rows: Iterable[Mapping[str, Any]], project: str) -> Iterator[DatasetRow]:
    """Yields rows of a project's dataset, given as dicts of `id`, `input`, `expected`, `metadata`, `tags` and `origin`.

    Raises DatasetError naming the row, counted from 0, and what is wrong with it.
    """
    for number, row in enumerate(rows):
        unknown = [str(key) for key in row if key != "id" and key not in FIELDS]
        if unknown:
            raise DatasetError(
                f"cannot keep row {number}: unexpected fields {', '.join(unknown)}; want id, "
                f"{', '.join(FIELDS)}; put others into metadata"
            )
        try:
            texts = {
                name: json.dumps(row[name], default=plain, ensure_ascii=False, allow_nan=False)
                for name in FIELDS
                if row.get(name) is not None
            }
        except (TypeError, ValueError, RecursionError) as error:
            raise DatasetError(f"cannot keep row {number}: {error}") from error
        yield make_row(number, row.get("id"), texts, project)


def make_row(number: int, row_id: object, texts: dict[str, str], project: str) -> DatasetRow:
    """Returns a row of JSON texts for a project's dataset, with an id that follows from the row where it has none.

    A row that came from a span is named after it, so that adding the span again is adding the same row;
    any other is named after its content. Raises DatasetError.
    """
    if "input" not in texts:
        raise DatasetError(f"cannot keep row {number}: it has no input; give it one")
    origin = _origin(number, texts)
    if row_id is None:
        row_id = _span_of(origin, project) or _content_id(number, texts)
    return DatasetRow(checked_id(number, row_id), texts, _digest(number, texts))


def checked_id(number: int, row_id: object) -> str:
    """Returns the id of a row as text; raises DatasetError for one that is neither text nor an integer."""
    if isinstance(row_id, bool) or not isinstance(row_id, str | int):
        raise DatasetError(f"cannot keep row {number}: its id is no text; want text or an integer")
    text = str(row_id)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        # Ids of such text would become one id, since what is stored is valid UTF-8.
        raise DatasetError(
            f"cannot keep row {number}: its id has half of a surrogate pair; want valid Unicode text"
        ) from None
    if not 1 <= size <= limits.MAX_NAME_BYTES:
        raise DatasetError(
            f"cannot keep row {number}: its id has {size} bytes; want 1 to {limits.MAX_NAME_BYTES}"
        )
    return text


def _origin(number: int, texts: Mapping[str, str]) -> dict[str, Any] | None:
    if "origin" not in texts:
        return None
    origin = json.loads(texts["origin"])
    if not isinstance(origin, dict):
        raise DatasetError(
            f"cannot keep row {number}: its origin is no object; want {{trace_id, span_id}}"
        )
    return origin


def _span_of(origin: Mapping[str, Any] | None, project: str) -> str | None:
    """Returns what names the span, or the trace, that a row came from; that of another project with its project."""
    trace_id = origin.get("trace_id") if origin else None
    if origin is None or not isinstance(trace_id, str):
        return None
    span_id, owner = origin.get("span_id"), origin.get("project")
    parts = [trace_id, span_id] if isinstance(span_id, str) else [trace_id]
    if isinstance(owner, str) and owner != project:
        parts.insert(0, owner)
    return "/".join(parts)


def _content_id(number: int, texts: Mapping[str, str]) -> str:
    try:
        values = {name: json.loads(text) for name, text in texts.items()}
        canonical = json.dumps(values, sort_keys=True).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"cannot keep row {number}: {error}") from error
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


def _digest(number: int, texts: Mapping[str, str]) -> int:
    body = ",".join(f'"{name}":{text}' for name, text in texts.items())
    try:
        return input_key(f"{{{body}}}".encode("utf-8", "surrogatepass"))
    except ValueError as error:
        raise DatasetError(f"cannot keep row {number}: {error}") from error
