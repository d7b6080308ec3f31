"""`traced`: a function whose calls are spans, with its input and output in the form that evals take."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import inspect
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final, Literal, ParamSpec, TypeVar, overload

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

P = ParamSpec("P")
R = TypeVar("R")

SpanType = Literal[
    "llm", "tool", "agent", "chain", "retriever", "embedding", "reranker", "guardrail", "task", "function"
]  # fmt: skip

_OWNERS: Final = frozenset({"self", "cls"})


@overload
def traced(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def traced(
    *,
    name: str | None = None,
    type: SpanType = "function",
    metadata: Mapping[str, Any] | None = None,
    input: bool = True,
    output: bool = True,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def traced(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    type: SpanType = "function",  # noqa: A002 - the column's name
    metadata: Mapping[str, Any] | None = None,
    input: bool = True,  # noqa: A002 - the column's name
    output: bool = True,
) -> Any:
    """Makes each call of a function a span, below the one that is current: sync, async, and generators of both.

    The input is the argument where there is one, else a dict of all; an eval's rows are the same, so that logged
    calls are rows of a dataset as they are. An error is noted and raised on.

    Args:
        function: the function, where the decorator stands without brackets.
        name: of the span; default the function's.
        type: of the span.
        metadata: of the span.
        input: whether the arguments are kept.
        output: whether the result is kept.
    """

    def decorate(wrapped: Callable[..., Any]) -> Callable[..., Any]:
        fixed: dict[str, str] = {"tracestore.type": type}
        if metadata:
            fixed["tracestore.metadata"] = as_json(metadata)
        call = _Calls(wrapped, name or wrapped.__qualname__, fixed, keeps=(input, output))
        return _in_spans(wrapped, call)

    return decorate if function is None else decorate(function)


class _Calls:
    """What the spans of one function's calls hold.

    Args:
        function: the function.
        name: of the spans.
        fixed: attributes of every span.
        keeps: whether inputs and outputs are kept.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        fixed: Mapping[str, str],
        keeps: tuple[bool, bool],
    ) -> None:
        self._name = name
        self._fixed = fixed
        self._keeps_input, self._keeps_output = keeps
        self._signature = inspect.signature(function)

    def begin(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> Span:
        """Returns the span of a call that begins."""
        span = trace.get_tracer("tracestore").start_span(self._name, attributes=self._fixed)
        if self._keeps_input and span.is_recording():
            span.set_attribute("tracestore.input", as_json(self._input(args, named)))
        return span

    def output(self, span: Span, value: Any) -> Any:
        """Notes a call's output and returns it."""
        if self._keeps_output and span.is_recording():
            span.set_attribute("tracestore.output", as_json(value))
        return value

    def _input(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """Returns the argument where the function takes one, else a dict of what was given."""
        try:
            given = dict(self._signature.bind(*args, **named).arguments)
        except TypeError:
            # The call itself will say what is wrong with it.
            return {"args": list(args), **named}
        for owner in _OWNERS & set(list(given)[:1]):
            del given[owner]
        takes = [each for each in self._signature.parameters if each not in _OWNERS]
        return given[takes[0]] if len(takes) == 1 and takes[0] in given else given


def _in_spans(function: Callable[..., Any], calls: _Calls) -> Callable[..., Any]:
    """Returns a function of the same kind whose calls are spans."""

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        with _current(calls.begin(args, named)) as span:
            return calls.output(span, function(*args, **named))

    @functools.wraps(function)
    async def call_async(*args: Any, **named: Any) -> Any:
        with _current(calls.begin(args, named)) as span:
            return calls.output(span, await function(*args, **named))

    @functools.wraps(function)
    def items(*args: Any, **named: Any) -> Iterator[Any]:
        span = calls.begin(args, named)
        gathered: list[Any] = []
        with _ended(span):
            source = function(*args, **named)
            try:
                while True:
                    # Current while the function itself runs, and not while its reader does.
                    with _current(span, ends=False):
                        item = next(source)
                    gathered.append(item)
                    yield item
            except StopIteration:
                pass
            finally:
                source.close()
                calls.output(span, joined(gathered))

    @functools.wraps(function)
    async def async_items(*args: Any, **named: Any) -> AsyncIterator[Any]:
        span = calls.begin(args, named)
        gathered: list[Any] = []
        with _ended(span):
            source = function(*args, **named)
            try:
                while True:
                    with _current(span, ends=False):
                        item = await anext(source)
                    gathered.append(item)
                    yield item
            except StopAsyncIteration:
                pass
            finally:
                await source.aclose()
                calls.output(span, joined(gathered))

    if inspect.isasyncgenfunction(function):
        return async_items
    if inspect.isgeneratorfunction(function):
        return items
    return call_async if inspect.iscoroutinefunction(function) else call


@contextlib.contextmanager
def _current(span: Span, *, ends: bool = True) -> Iterator[Span]:
    """Makes a span the current one; an error that leaves it is noted, and ends it where `ends`."""
    with trace.use_span(
        span, end_on_exit=ends, record_exception=ends, set_status_on_exception=ends
    ):
        yield span


@contextlib.contextmanager
def _ended(span: Span) -> Iterator[None]:
    """Ends a span that is not current; an error that leaves it is noted."""
    try:
        yield
    except Exception as error:
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
        raise
    finally:
        span.end()


def joined(items: list[Any]) -> Any:
    """Returns what a generator gave: the text where all of it is text, as of a model that streams, else a list."""
    return "".join(items) if items and all(isinstance(item, str) for item in items) else items


def as_json(value: Any) -> str:
    """Returns a value as JSON; what JSON has no form for by its fields, else as text."""
    try:
        return json.dumps(value, default=_plain, ensure_ascii=False)
    except (TypeError, ValueError):
        # Keys that are no text, or a value that holds itself.
        return json.dumps(repr(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)
