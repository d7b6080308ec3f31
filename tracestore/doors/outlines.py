"""Answers as short texts: tables of cut cells, a trace as an indented outline. Each says what it leaves out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

MAX_ANSWER_CHARACTERS: Final = 15_000
"""Of one answer: 6,000 tokens where ids and numbers fill it, which a reader with a small memory can take a dozen of."""

SHOWN_ERROR_CHARACTERS: Final = 160


def cut(text: str, most: int) -> str:
    """Returns a text with its end replaced by how much is left out."""
    return text if len(text) <= most else f"{text[:most]}…(+{len(text) - most} characters)"


def shown(value: Any) -> str:
    """Returns a value on one line."""
    if value is None:
        return ""
    if isinstance(value, str):
        return " ".join(value.split())
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def table(names: Sequence[str], rows: Sequence[Sequence[Any]], cell: int) -> tuple[str, int, bool]:
    """Returns rows as lines of cells between bars, within the bound of an answer.

    Args:
        names: of the columns.
        rows: their values.
        cell: characters of a cell.

    Returns:
        The text, how many rows it has, and whether a cell was cut.
    """
    lines = [" | ".join(names)]
    size, was_cut = len(lines[0]), False
    for row in rows:
        texts = [shown(value) for value in row]
        was_cut |= any(len(text) > cell for text in texts)
        line = " | ".join(cut(text, cell) for text in texts)
        size += len(line) + 1
        if size > MAX_ANSWER_CHARACTERS and len(lines) > 1:
            break
        lines.append(line)
    return "\n".join(lines), len(lines) - 1, was_cut


@dataclass(frozen=True, slots=True)
class Outline:
    """A trace as lines, and what they leave out.

    Attributes:
        lines: one for each span, indented by its depth.
        hidden: spans that are deeper than was asked, or beyond the bound.
    """

    lines: list[str]
    hidden: int


def outline(spans: Sequence[Mapping[str, Any]], depth: int, most: int) -> Outline:
    """Returns a trace as an outline; a span whose parent is not among them counts as a root.

    Args:
        spans: rows with `span_id, parent_span_id, name, type, duration_ns, status_code, status_message, tokens`.
        depth: levels that are shown.
        most: spans that are shown.
    """
    ids = {span["span_id"] for span in spans}
    children: dict[str | None, list[Mapping[str, Any]]] = {}
    for span in spans:
        parent = span["parent_span_id"] if span["parent_span_id"] in ids else None
        children.setdefault(parent, []).append(span)
    lines: list[str] = []
    size = 0
    for level, span in _in_order(children, depth):
        line = "  " * level + _line(
            span, len(children.get(span["span_id"], ())), level + 1 == depth
        )
        size += len(line) + 1
        if len(lines) == most or size > MAX_ANSWER_CHARACTERS:
            break
        lines.append(line)
    return Outline(lines, len(spans) - len(lines))


def _in_order(
    children: Mapping[str | None, Sequence[Mapping[str, Any]]], depth: int
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yields spans with their levels, parents first; a circle of parents has no root and is not reached."""
    waiting = [(0, span) for span in reversed(children.get(None, ()))]
    while waiting:
        level, span = waiting.pop()
        yield level, span
        if level + 1 < depth:
            below = children.get(span["span_id"], ())
            waiting += [(level + 1, each) for each in reversed(below)]


def _line(span: Mapping[str, Any], below: int, last: bool) -> str:
    milliseconds = (span["duration_ns"] or 0) / 1e6
    parts = [shown(span["name"])[:120], f"[{span['type']}]" if span["type"] else ""]
    parts += [f"{milliseconds:.1f}ms", f"{span['tokens']:g} tokens" if span["tokens"] else ""]
    if span["status_code"] == "ERROR":
        parts.append("ERROR " + cut(shown(span["status_message"]), SHOWN_ERROR_CHARACTERS))
    parts += [f"span_id={span['span_id']}", f"(+{below} below)" if last and below else ""]
    return " ".join(part for part in parts if part)
