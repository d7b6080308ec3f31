"""Scores and labels given late, as verbs that stores and clients share: each is one patch of one span."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

Span: TypeAlias = tuple[str, str] | Mapping[str, Any] | Any
"""A span: (trace_id, span_id), or a dict or object with both."""


def ids_of(span: Span) -> tuple[str, str]:
    """Returns a span's trace id and span id; raises ValueError for what names no span."""
    if isinstance(span, Mapping):
        ids = (span.get("trace_id"), span.get("span_id"))
    elif isinstance(span, tuple | list):
        ids = tuple(span) if len(span) == 2 else (None, None)
    else:
        # An OpenTelemetry span keeps its ids as integers in its context.
        context = span.get_span_context() if hasattr(span, "get_span_context") else span
        ids = (getattr(context, "trace_id", None), getattr(context, "span_id", None))
    trace_id, span_id = ids
    if isinstance(trace_id, int) and isinstance(span_id, int):
        return f"{trace_id:032x}", f"{span_id:016x}"
    if not isinstance(trace_id, str) or not isinstance(span_id, str):
        raise ValueError(
            "cannot patch span: it has no ids; give (trace_id, span_id) or something that has both"
        )
    return trace_id, span_id


class FeedbackMethods(ABC):
    """The verbs of feedback, for a class that has a method `patch`."""

    @abstractmethod
    def patch(
        self,
        patches: Mapping[str, Any] | Iterable[Mapping[str, Any]],
        *,
        project: str | None = None,
    ) -> int:
        """Changes spans and returns the number of patches; docs/guide/feedback.md has the rules."""

    def score(
        self,
        span: Span,
        name: str,
        value: float | bool | None,
        *,
        comment: str | None = None,
        author: str | None = None,
        project: str | None = None,
    ) -> None:
        """Gives a span a score, in place of one of that name; None takes it away."""
        self._patch(span, project, scores={name: value}, comment=comment, author=author)

    def tag(self, span: Span, *tags: str, project: str | None = None) -> None:
        """Adds tags to a span; those it has stay."""
        self._patch(span, project, tags=list(tags))

    def comment(
        self, span: Span, text: str, *, author: str | None = None, project: str | None = None
    ) -> None:
        """Adds a comment to a span's `metadata.comments`."""
        self._patch(span, project, comment=text, author=author)

    def expected(self, span: Span, value: Any, *, project: str | None = None) -> None:
        """Says what a span should have given, in place of what was said before."""
        self._patch(span, project, expected=value)

    def _patch(self, span: Span, project: str | None, **change: Any) -> None:
        trace_id, span_id = ids_of(span)
        given = {
            name: value
            for name, value in change.items()
            if value is not None or name not in {"comment", "author"}
        }
        self.patch({"trace_id": trace_id, "span_id": span_id, **given}, project=project)
