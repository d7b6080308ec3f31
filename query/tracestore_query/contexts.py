"""How a path is used where it stands: what a mixed path means there (docs/guide/sql.md, "Types")."""

from __future__ import annotations

import enum

from sqlglot import exp

from tracestore_query.chains import steps_of


class Use(enum.Enum):
    """Says which of a path's values count, and as what."""

    BARE = enum.auto()
    NUMBER = enum.auto()
    TEXT = enum.auto()
    BOOL = enum.auto()
    LIST = enum.auto()
    CAST = enum.auto()
    TYPEOF = enum.auto()
    PRESENT = enum.auto()


_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Pow, exp.IntDiv, exp.Neg, exp.Abs)
_NUMBER_AGGREGATES = (
    exp.Sum,
    exp.Avg,
    exp.Stddev,
    exp.StddevPop,
    exp.StddevSamp,
    exp.Variance,
    exp.VariancePop,
    exp.Median,
    exp.Quantile,
    exp.ApproxQuantile,
    exp.PercentileCont,
    exp.PercentileDisc,
    exp.Corr,
    exp.Round,
    exp.Floor,
    exp.Ceil,
    exp.Sqrt,
    exp.Ln,
    exp.Log,
    exp.Exp,
)
_NUMBER_FUNCTIONS = frozenset(
    "quantile quantile_cont quantile_disc mad fsum sumkahan favg kurtosis skewness histogram log2 log10 cbrt trunc "
    "sign product geomean approx_quantile reservoir_quantile regr_slope width_bucket equi_width_bins".split()
)
_TEXT_NODES = (
    exp.Like,
    exp.ILike,
    exp.RegexpLike,
    exp.SimilarTo,
    exp.Lower,
    exp.Upper,
    exp.Substring,
    exp.Trim,
    exp.StartsWith,
    exp.EndsWith,
    exp.RegexpExtract,
    exp.RegexpReplace,
    exp.Split,
    exp.StrPosition,
    exp.DPipe,
    exp.Left,
    exp.Right,
    exp.Replace,
    exp.Levenshtein,
)
_TEXT_FUNCTIONS = frozenset(
    "prefix suffix regexp_matches regexp_full_match string_split str_split ltrim rtrim reverse strlen "
    "jaccard jaro_similarity jaro_winkler_similarity damerau_levenshtein bar strip_accents translate".split()
)
_LIST_NODES = (
    exp.Explode,
    exp.Unnest,
    exp.ArrayContains,
    exp.ArraySize,
    exp.ArrayFilter,
    exp.Transform,
    exp.ArrayToString,
    exp.Any,
    exp.ArraySort,
    exp.ArrayConcat,
    exp.ArraySlice,
    exp.ArrayContainsAll,
    exp.ArrayOverlaps,
)
_LIST_FUNCTIONS = ("list_", "array_")
_BOOLEAN_PARENTS = (exp.And, exp.Or, exp.Not, exp.Where, exp.Having, exp.Qualify)


def use_of(node: exp.Expression) -> Use:
    """Returns how a chain is used, by the node above it and the values beside it."""
    parent, at = _parent(node)
    if isinstance(parent, exp.Cast):
        return Use.CAST
    if isinstance(parent, exp.Is):
        return Use.PRESENT if isinstance(parent.expression, exp.Null) else Use.BOOL
    if isinstance(parent, exp.Typeof):
        return Use.TYPEOF
    if isinstance(parent, _LIST_NODES) and at == "this":
        return Use.LIST
    if isinstance(parent, _COMPARISONS):
        other = parent.expression if parent.this is _top(node) else parent.this
        return _by_value(other)
    if isinstance(parent, exp.Between):
        return _by_value(parent.args["low"])
    if isinstance(parent, exp.In):
        values = parent.expressions
        return _by_value(values[0]) if values else Use.BARE
    if isinstance(parent, (*_ARITHMETIC, *_NUMBER_AGGREGATES)):
        return Use.NUMBER
    if isinstance(parent, _TEXT_NODES):
        return Use.TEXT
    if isinstance(parent, _BOOLEAN_PARENTS) or (isinstance(parent, exp.If) and at == "this"):
        return Use.BOOL
    if isinstance(parent, exp.Anonymous):
        return _by_function(str(parent.this).lower())
    return Use.BARE


def _by_function(name: str) -> Use:
    if name in _NUMBER_FUNCTIONS:
        return Use.NUMBER
    if name in _TEXT_FUNCTIONS:
        return Use.TEXT
    if name.startswith(_LIST_FUNCTIONS) or name in {"len", "unnest"}:
        return Use.LIST
    return Use.BARE


def _by_value(value: exp.Expression) -> Use:
    """Returns the use that a compared value asks for."""
    if isinstance(value, exp.Paren | exp.Neg | exp.Coalesce):
        return _by_value(value.this)
    if isinstance(value, exp.Literal):
        return Use.TEXT if value.is_string else Use.NUMBER
    if isinstance(value, exp.Boolean):
        return Use.BOOL
    if isinstance(value, (*_ARITHMETIC, *_NUMBER_AGGREGATES, exp.Count)):
        return Use.NUMBER
    if isinstance(value, exp.Lower | exp.Upper | exp.Concat | exp.Substring | exp.Trim):
        return Use.TEXT
    if isinstance(value, exp.Cast):
        if value.to.this in exp.DataType.NUMERIC_TYPES:
            return Use.NUMBER
        return Use.TEXT if value.to.this in exp.DataType.TEXT_TYPES else Use.BARE
    return Use.BARE


def _parent(node: exp.Expression) -> tuple[exp.Expression | None, str | None]:
    top = _top(node)
    return top.parent, top.arg_key


def _top(node: exp.Expression) -> exp.Expression:
    """Returns the node, or the outermost pair of parentheses around it."""
    while isinstance(node.parent, exp.Paren) and steps_of(node.parent) is not None:
        node = node.parent
    return node
