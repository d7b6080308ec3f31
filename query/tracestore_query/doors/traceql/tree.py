"""The tree of a TraceQL text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["text", "number", "duration", "boolean", "nil", "status", "kind"]

INTRINSIC: Final = ""
"""The scope of what every span has: its name, its status, its duration."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands in the text; durations are nanoseconds, statuses and kinds words in capitals."""

    kind: Kind
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """A value of a span.

    Attributes:
        scope: `span`, `resource`, `any` (the span's, else the resource's), `event`, `link`, `instrumentation`, or
            INTRINSIC.
        key: of the attribute, or the intrinsic's name.
        text: the field as it was written.
    """

    scope: str
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two expressions beside an operator that tells yes or no."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two expressions beside an operator that makes a number."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Negated:
    """An expression behind `!` or `-`."""

    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Joined:
    """Conditions of which all (`&&`) or one (`||`) must hold."""

    operator: str
    parts: tuple[Expression, ...]


Expression = Constant | Field | Comparison | Arithmetic | Negated | Joined


@dataclass(frozen=True, slots=True)
class Spanset:
    """The spans that a condition holds for; all where it is None."""

    condition: Expression | None


@dataclass(frozen=True, slots=True)
class Related:
    """Two sets of spans beside an operator: `&&`, `||`, or one of structure such as `>>`."""

    operator: str
    left: Spans
    right: Spans


Spans = Spanset | Related


@dataclass(frozen=True, slots=True)
class Select:
    """The stage `select(…)`: fields that the answer shows."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A stage that keeps traces by an aggregate of their matched spans, such as `avg(duration) > 1s`."""

    function: str
    of: Expression | None
    operator: str
    bound: Constant


@dataclass(frozen=True, slots=True)
class Metric:
    """A stage that makes series, such as `quantile_over_time(duration, .9) by(name)`.

    Attributes:
        function: its name.
        of: what it is about, None where it counts.
        quantiles: which, for `quantile_over_time`.
        by: a series for each combination of these.
    """

    function: str
    of: Expression | None
    quantiles: tuple[float, ...]
    by: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Ranked:
    """The stage `topk(n)` or `bottomk(n)`."""

    function: str
    count: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The stage `compare({…}, n)`: what differs between the spans that are so and the others.

    Attributes:
        condition: which are chosen; all where it is None.
        top: values shown of each attribute.
        begin_ns: chosen spans begin from here on, None for any.
        end_ns: and before this.
    """

    condition: Expression | None
    top: int
    begin_ns: int | None
    end_ns: int | None


Stage = Select | Threshold | Metric | Ranked | Compared


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A whole text: spans, and what is done with them."""

    spans: Spans
    stages: tuple[Stage, ...] = ()


def fields_of(pipeline: Pipeline) -> tuple[Field, ...]:
    """Returns the fields that a text names, each once, in its order."""
    found: dict[Field, None] = {}
    for condition in _conditions(pipeline.spans):
        found.update(dict.fromkeys(_fields(condition)))
    for stage in pipeline.stages:
        if isinstance(stage, Select):
            found.update(dict.fromkeys(stage.fields))
        elif isinstance(stage, Threshold) and stage.of is not None:
            found.update(dict.fromkeys(_fields(stage.of)))
    return tuple(found)


def _conditions(spans: Spans) -> Iterator[Expression]:
    if isinstance(spans, Related):
        yield from _conditions(spans.left)
        yield from _conditions(spans.right)
    elif spans.condition is not None:
        yield spans.condition


def _fields(expression: Expression) -> Iterator[Field]:
    if isinstance(expression, Field):
        yield expression
    elif isinstance(expression, Comparison | Arithmetic):
        yield from _fields(expression.left)
        yield from _fields(expression.right)
    elif isinstance(expression, Negated):
        yield from _fields(expression.operand)
    elif isinstance(expression, Joined):
        for part in expression.parts:
            yield from _fields(part)
