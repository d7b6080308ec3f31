"""Messages of model calls that came as log records: what they say of the input and output of their span.

Some instrumentations send content as events beside the span, not as its attributes. A record that names its span is
also a patch of it, whichever of both comes first, and stays a log record. The patch is durable before the records are:
a crash between both leaves a patch that the client, who was not answered, sends again; what is said twice counts once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.store.core import Core
from tracestore.store.patches.rules import MAX_PATCH_BYTES
from tracestore.store.wal.frames import Frame
from tracestore.store.write import ingest
from tracestore.store.write import patch as patching
from tracestore.store.write.ingest import ProjectPart
from tracestore.store.write.ingest_report import IngestReport
from tracestore.variant import Shredder, leaf_name, one_form, unshred_values

_MARK: Final = b"gen_ai."
"""A payload without it holds no such record, and is not looked at further."""

_ROLES: Final = {
    "gen_ai.system.message": ("input", "system"),
    "gen_ai.user.message": ("input", "user"),
    "gen_ai.assistant.message": ("input", "assistant"),
    "gen_ai.tool.message": ("input", "tool"),
    "gen_ai.choice": ("output", "assistant"),
}
"""Events that are one message each: their column and who speaks."""

_DETAILS: Final = "gen_ai.client.inference.operation.details"
"""The event that has all messages of a call as attributes."""

_NAMES: Final = (*_ROLES, _DETAILS)
_SAYS: Final = ("content", "tool_calls", "reasoning")


def write(core: Core, frame: Frame, parts: Sequence[ProjectPart]) -> IngestReport:
    """Stores a request as `ingest.write` does, after what its log records say of spans."""
    if frame.table == "logs":
        patching.note_said(core, changes(parts))
    return ingest.write(core, frame, parts)


def changes(parts: Iterable[ProjectPart]) -> list[dict[str, Any]]:
    """Returns what the log records of a request say of spans, one change for each span."""
    found: dict[tuple[str, str, str], dict[str, list[Any]]] = {}
    for part in parts:
        if _MARK not in part.payload:
            continue
        for trace_id, span_id, time_ns, column, message in _messages(part):
            span = found.setdefault((part.project, trace_id, span_id), {})
            span.setdefault(column, []).append([time_ns, message])
    made = [
        {"project": project, "trace_id": trace_id, "span_id": span_id, "said": said}
        for (project, trace_id, span_id), said in found.items()
    ]
    # Patches are held in memory until they are folded in: what is longer stays a log record alone.
    return [change for change in made if len(json.dumps(change)) <= MAX_PATCH_BYTES]


def _messages(part: ProjectPart) -> Iterator[tuple[str, str, int, str, Any]]:
    """Yields the ids of a span, a time, a column and a message of it."""
    shredder = Shredder("logs", min_leaf_rows=1, min_leaf_density=0.0, max_leaf_columns=2**31)
    part.append(shredder)
    table = _records(shredder.finish())
    if len(table) == 0:
        return
    rows = zip(
        table.column("trace_id").to_pylist(),
        table.column("span_id").to_pylist(),
        table.column("time_ns").to_pylist(),
        table.column("event_name").to_pylist(),
        unshred_values(table, ("body",)).to_pylist(),
        unshred_values(table, ("attributes",)).to_pylist(),
        strict=True,
    )
    for trace_id, span_id, time_ns, name, body, attributes in rows:
        for column, message in _said(name, _value(body), _value(attributes)):
            yield trace_id, span_id, time_ns, column, message


def _records(table: pa.Table) -> pa.Table:
    """Returns the records that name a span and are such events, each with its name in `event_name`."""
    event = table.column("event_name")
    # Loggers of a language have no field for the name of an event.
    spelled = leaf_name(("attributes", "event.name"), "str")
    if spelled in table.column_names:
        event = pc.coalesce(event, table.column(spelled))
    wanted = pc.and_(pc.is_in(event, pa.array(_NAMES)), pc.is_valid(table.column("span_id")))
    return table.set_column(table.column_names.index("event_name"), "event_name", event).filter(
        wanted
    )


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _said(name: str, body: Any, attributes: Any) -> Iterator[tuple[str, Any]]:
    """Yields columns and messages in the one form; without content there is none."""
    if name in _ROLES:
        column, role = _ROLES[name]
        if isinstance(body, str):
            body = _parsed(body)
        if isinstance(body, Mapping):
            yield from _formed(column, [{"role": role, **body}])
        return
    given = attributes if isinstance(attributes, Mapping) else {}
    system = _parsed(given.get("gen_ai.system_instructions"))
    if system is not None:
        yield from _formed("input", [{"role": "system", "content": system}])
    for column in ("input", "output"):
        messages = _parsed(given.get(f"gen_ai.{column}.messages"))
        if isinstance(messages, list):
            yield from _formed(column, messages)


def _formed(column: str, messages: list[Any]) -> Iterator[tuple[str, Any]]:
    for message in one_form(messages, asked=column == "input") or ():
        if isinstance(message, Mapping) and any(message.get(name) for name in _SAYS):
            yield column, message


def _parsed(value: Any) -> Any:
    """Returns a value, or what a text holds as JSON."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value
