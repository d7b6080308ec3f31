"""The grammar of TraceQL, and the tree that its rules make."""

from __future__ import annotations

import re
from typing import Any, Final

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput

from tracestore_query.doors.traceql import tree
from tracestore_query.doors.traceql.quoting import key_of, unquoted
from tracestore_query.errors import QuerySyntaxError

DEFAULT_TOP: Final = 10
MAX_TOP: Final = 100
"""Values of an attribute that are compared."""

GRAMMAR: Final = r"""
start: spans ("|" stage)* hints?

?spans: all_spans | spans "||" all_spans            -> either
?all_spans: related | all_spans "&&" related        -> both
?related: spanset | related STRUCTURE spanset       -> related
?spanset: "{" "}"                                   -> every
    | "{" expression "}"                            -> spanset
    | "(" spans ")"

stage: "select" "(" fields ")"                      -> select
    | AGGREGATE "(" [expression] ")" COMPARE constant  -> threshold
    | METRIC "(" [argument ("," argument)*] ")" [by]   -> metric
    | "compare" "(" spanset ("," INTEGER)* ")"      -> compared
    | RANK "(" INTEGER ")"                          -> ranked
?argument: expression
by: "by" "(" fields ")"
fields: field ("," field)*
hints: "with" "(" hint ("," hint)* ")"
hint: NAME "=" constant

?expression: conjunction | expression "||" conjunction  -> any_of
?conjunction: comparison | conjunction "&&" comparison  -> all_of
?comparison: sum | sum COMPARE sum                  -> comparison
?sum: product | sum PLUS product                    -> arithmetic
?product: unary | product TIMES unary               -> arithmetic
?unary: atom | NEGATION unary                       -> negated
?atom: constant | field | "(" expression ")"

field: ATTRIBUTE                                    -> attribute
    | INTRINSIC                                     -> intrinsic
constant: STRING                                    -> string
    | DURATION                                      -> duration
    | FLOAT                                         -> float
    | INTEGER                                       -> integer
    | BOOLEAN                                       -> boolean
    | NIL                                           -> nil
    | STATUS                                        -> status
    | SPAN_KIND                                     -> span_kind

STRUCTURE: /[!&]?(>>|<<|>|<|~)/
COMPARE: /!=|>=|<=|=~|!~|=|>|</
PLUS: /[+\-]/
TIMES: /[*\/%^]/
NEGATION: /!|-/
AGGREGATE.3: /(count|avg|min|max|sum)(?=\s*\()/
METRIC.3: /(rate|(count|sum|avg|min|max|quantile|histogram)_over_time)(?=\s*\()/
RANK.3: /(topk|bottomk)(?=\s*\()/
ATTRIBUTE.2: /(span|resource|event|link|instrumentation)?\.("(\\.|[^"\\])*"|[^\s{}()=!<>&|,^~"])+/
INTRINSIC.2: /(trace|span|event|link|instrumentation):[A-Za-z]+|[A-Za-z]+(?![\w.:])/
STATUS.4: /(error|ok|unset)(?![\w.:])/
SPAN_KIND.4: /(unspecified|internal|server|client|producer|consumer)(?![\w.:])/
NIL.4: /nil(?![\w.:])/
BOOLEAN.4: /(true|false)(?![\w.:])/
DURATION.4: /(\d+(\.\d+)?(ns|us|µs|ms|s|m|h|d))+(?![\w.])/
FLOAT.3: /\d*\.\d+([eE][+-]?\d+)?|\d+[eE][+-]?\d+/
INTEGER.1: /\d+/
STRING: /"(\\.|[^"\\])*"|`[^`]*`/
NAME: /[a-z_]+/
%ignore /\s+/
"""

_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)")
_NS: Final = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
    "d": 86_400 * 10**9,
}
_MAX_NS: Final = 2**62


def tree_of(text: str) -> tree.Pipeline:
    """Returns the tree of a text, which may be of any height.

    Raises:
        QuerySyntaxError: where it is not of the grammar; it shows the place.
    """
    try:
        pipeline: tree.Pipeline = _PARSER.parse(text)  # type: ignore[assignment] # what the callbacks make
    except UnexpectedInput as error:
        told = getattr(error, "pos_in_stream", None)
        # What ends too early is unexpected at its end.
        at = len(text) if told is None or told < 0 else told
        raise QuerySyntaxError(
            f"cannot read TraceQL: unexpected text at character {at + 1}: {text[at : at + 20]!r}; "
            "the guide's page on Tempo lists what is answered"
        ) from None
    return pipeline


class _Tree(Transformer[Token, Any]):
    """What each rule of the grammar makes; called as the parser goes, so that no depth is recursed over."""

    def __init__(self) -> None:
        super().__init__(visit_tokens=False)

    def start(self, items: list[Any]) -> tree.Pipeline:
        spans, *stages = (item for item in items if item is not None)
        return tree.Pipeline(spans, tuple(stages))

    def every(self, _: list[Any]) -> tree.Spanset:
        return tree.Spanset(None)

    def spanset(self, items: list[Any]) -> tree.Spanset:
        return tree.Spanset(items[0])

    def either(self, items: list[Any]) -> tree.Related:
        return tree.Related("||", *items)

    def both(self, items: list[Any]) -> tree.Related:
        return tree.Related("&&", *items)

    def related(self, items: list[Any]) -> tree.Related:
        left, operator, right = items
        return tree.Related(str(operator), left, right)

    def any_of(self, items: list[Any]) -> tree.Joined:
        return _joined("||", *items)

    def all_of(self, items: list[Any]) -> tree.Joined:
        return _joined("&&", *items)

    def comparison(self, items: list[Any]) -> tree.Comparison:
        left, operator, right = items
        return tree.Comparison(str(operator), left, right)

    def arithmetic(self, items: list[Any]) -> tree.Arithmetic:
        left, operator, right = items
        return tree.Arithmetic(str(operator), left, right)

    def negated(self, items: list[Any]) -> tree.Expression:
        operator, operand = items
        if operator == "-" and isinstance(operand, tree.Constant):
            value = operand.value
            if isinstance(value, int | float) and not isinstance(value, bool):
                return tree.Constant(operand.kind, -value)
        return tree.Negated(str(operator), operand)

    def select(self, items: list[Any]) -> tree.Select:
        return tree.Select(items[0])

    def fields(self, items: list[Any]) -> tuple[tree.Field, ...]:
        return tuple(items)

    def by(self, items: list[Any]) -> tuple[tree.Field, ...]:
        fields: tuple[tree.Field, ...] = items[0]
        return fields

    def threshold(self, items: list[Any]) -> tree.Threshold:
        function, of, operator, bound = items
        if (of is None) != (function == "count"):
            raise QuerySyntaxError(
                f"cannot read TraceQL: {function}() is about {'no field' if of else 'one field'}; "
                "write count() or avg(duration)"
            )
        return tree.Threshold(str(function), of, str(operator), bound)

    def metric(self, items: list[Any]) -> tree.Metric:
        function, *arguments, by = items
        return _metric(str(function), [each for each in arguments if each is not None], by or ())

    def compared(self, items: list[Any]) -> tree.Compared:
        spans, *numbers = items
        values = [int(each) for each in numbers]
        if not isinstance(spans, tree.Spanset) or len(values) not in {0, 1, 3}:
            raise QuerySyntaxError(
                "cannot read TraceQL: wrong arguments of compare; write compare({status = error}, 10)"
            )
        top = values[0] if values else DEFAULT_TOP
        begin_ns, end_ns = values[1:] or (None, None)
        return tree.Compared(spans.condition, min(top, MAX_TOP), begin_ns, end_ns)

    def ranked(self, items: list[Any]) -> tree.Ranked:
        function, count = items
        return tree.Ranked(str(function), min(int(count), 1000))

    def hints(self, _: list[Any]) -> None:
        # They tell Tempo how to go about it; the answer is the same.
        return None

    def hint(self, _: list[Any]) -> None:
        return None

    def attribute(self, items: list[Any]) -> tree.Field:
        text = str(items[0])
        scope, _, key = text.partition(".")
        return tree.Field(scope or "any", key_of(key), text)

    def intrinsic(self, items: list[Any]) -> tree.Field:
        return tree.Field(tree.INTRINSIC, str(items[0]), str(items[0]))

    def string(self, items: list[Any]) -> tree.Constant:
        return tree.Constant("text", unquoted(str(items[0])))

    def duration(self, items: list[Any]) -> tree.Constant:
        parts = _PART.findall(str(items[0]))
        nanoseconds = round(sum(float(number) * _NS[unit] for number, unit in parts))
        return tree.Constant("duration", min(nanoseconds, _MAX_NS))

    def float(self, items: list[Any]) -> tree.Constant:
        return tree.Constant("number", float(items[0]))

    def integer(self, items: list[Any]) -> tree.Constant:
        text = str(items[0])
        return tree.Constant("number", int(text) if len(text) < 19 else float(text))

    def boolean(self, items: list[Any]) -> tree.Constant:
        return tree.Constant("boolean", items[0] == "true")

    def nil(self, _: list[Any]) -> tree.Constant:
        return tree.Constant("nil", None)

    def status(self, items: list[Any]) -> tree.Constant:
        return tree.Constant("status", str(items[0]).upper())

    def span_kind(self, items: list[Any]) -> tree.Constant:
        return tree.Constant("kind", str(items[0]).upper())


def _joined(operator: str, left: Any, right: Any) -> tree.Joined:
    """Returns conditions joined; a row of them is one level, however long."""
    before = left.parts if isinstance(left, tree.Joined) and left.operator == operator else (left,)
    return tree.Joined(operator, (*before, right))


def _metric(function: str, arguments: list[Any], by: tuple[tree.Field, ...]) -> tree.Metric:
    of, *rest = arguments or [None]
    counts = function in {"rate", "count_over_time"}
    quantiles = tuple(
        float(each.value)
        for each in rest
        if isinstance(each, tree.Constant) and each.kind == "number" and each.value is not None
    )
    wanted = function == "quantile_over_time"
    if (
        counts == (of is not None)
        or len(quantiles) != len(rest)
        or bool(quantiles) != wanted
        or not all(0 <= each <= 1 for each in quantiles)
    ):
        raise QuerySyntaxError(
            f"cannot read TraceQL: wrong arguments of {function}; write rate(), avg_over_time(duration) or "
            "quantile_over_time(duration, .99)"
        )
    return tree.Metric(function, of, quantiles, by)


_PARSER: Final = Lark(GRAMMAR, parser="lalr", transformer=_Tree(), maybe_placeholders=True)
