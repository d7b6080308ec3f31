"""Numbers of nested sets, by which Grafana lays spans out as a tree: a span's left and right enclose its children's."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

ROOT_PARENT: Final = -1
UNKNOWN: Final = 0
"""What Tempo gives of a span that hangs on no root."""


class NestedSets:
    """The numbers of the spans of some traces.

    Args:
        spans: rows of `trace_id, span_id, parent_span_id`; children are numbered in their order.
    """

    def __init__(self, spans: Iterable[Mapping[str, Any]]) -> None:
        by_trace: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for span in spans:
            by_trace[span["trace_id"]].append(span)
        self._numbers = {trace_id: _numbered(each) for trace_id, each in by_trace.items()}

    def of(self, trace_id: str, span_id: str, field: str) -> int:
        """Returns one number of a span."""
        numbers = self._numbers.get(trace_id, {}).get(span_id)
        return numbers[field] if numbers is not None else UNKNOWN


def _numbered(spans: list[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    children: dict[str | None, list[str]] = defaultdict(list)
    for span in spans:
        children[span["parent_span_id"] or None].append(span["span_id"])
    numbers: dict[str, dict[str, int]] = {}
    last = 0
    # Not by recursion: a stranger chose the depth.
    waiting: list[tuple[str, int, bool]] = [
        (span_id, ROOT_PARENT, False) for span_id in reversed(children[None])
    ]
    while waiting:
        span_id, parent, ended = waiting.pop()
        if not ended and span_id in numbers:
            continue
        last += 1
        if ended:
            numbers[span_id]["nestedSetRight"] = last
            continue
        numbers[span_id] = {"nestedSetLeft": last, "nestedSetRight": 0, "nestedSetParent": parent}
        waiting.append((span_id, parent, True))
        waiting += [(child, last, False) for child in reversed(children[span_id])]
    return numbers
