"""How a path is used where it stands: what a mixed path means there (docs/guide/sql.md, "Types")."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.optimizer.annotate_types import annotate_types

from tracestore.variant import LEAVES
from tracestore_query.language.dialect import TraceSQL


class Use(enum.Enum):
    """Says which of a path's values count, and as what."""

    BARE = enum.auto()
    NUMBER = enum.auto()
    TEXT = enum.auto()
    BOOL = enum.auto()
    LIST = enum.auto()
    CAST = enum.auto()
    """The node above is a cast, which takes the path's place."""
    AS_TYPE = enum.auto()
    """Compared with a value of a type that JSON has not, e.g. a time."""
    JSON = enum.auto()
    """Compared with another path of mixed types."""
    TYPEOF = enum.auto()
    PRESENT = enum.auto()


@dataclass(frozen=True, slots=True)
class Want:
    """Is a use, and the type of an AS_TYPE."""

    use: Use
    to: exp.DataType | None = None


BARE = Want(Use.BARE)
NUMBER = Want(Use.NUMBER)
TEXT = Want(Use.TEXT)
BOOL = Want(Use.BOOL)
LIST = Want(Use.LIST)

KindOf = Callable[[exp.Expr, exp.Expr], Want | None]
"""Returns what a path must be to be compared with a value that holds names or parameters: (value, path)."""

_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Pow, exp.IntDiv, exp.Neg)
_NUMBER_NODES = (
    *_ARITHMETIC,
    exp.Abs,
    exp.ApproxQuantile,
    exp.Avg,
    exp.Ceil,
    exp.Corr,
    exp.Exp,
    exp.Floor,
    exp.Ln,
    exp.Log,
    exp.Median,
    exp.PercentileCont,
    exp.PercentileDisc,
    exp.Quantile,
    exp.Round,
    exp.Sign,
    exp.Sqrt,
    exp.Stddev,
    exp.StddevPop,
    exp.StddevSamp,
    exp.Sum,
    exp.Variance,
    exp.VariancePop,
)
_NUMBER_FUNCTIONS = frozenset(
    {
        *("quantile", "quantile_cont", "quantile_disc", "approx_quantile", "reservoir_quantile"),
        *("mad", "fsum", "sumkahan", "kahan_sum", "favg", "kurtosis", "kurtosis_pop", "skewness"),
        *("histogram", "log2", "log10", "cbrt", "trunc", "sign", "product", "geomean", "sem"),
        *("regr_slope", "regr_intercept", "regr_r2", "covar_pop", "covar_samp", "equi_width_bins"),
        *("bit_and", "bit_or", "bit_xor", "gcd", "lcm", "even", "factorial", "format_bytes"),
        *("geometric_mean", "sum_no_overflow"),
    }
)
_TEXT_NODES = (
    exp.DPipe,
    exp.EndsWith,
    exp.Glob,
    exp.ILike,
    exp.Initcap,
    exp.Left,
    exp.Levenshtein,
    exp.Like,
    exp.Lower,
    exp.Pad,
    exp.RegexpExtract,
    exp.RegexpExtractAll,
    exp.RegexpLike,
    exp.RegexpReplace,
    exp.Replace,
    exp.Reverse,
    exp.Right,
    exp.SimilarTo,
    exp.Split,
    exp.StartsWith,
    exp.StrPosition,
    exp.Substring,
    exp.Trim,
    exp.Upper,
)
_TEXT_FUNCTIONS = frozenset(
    {
        *("prefix", "suffix", "regexp_matches", "regexp_full_match", "string_split", "str_split"),
        *("ltrim", "rtrim", "reverse", "strlen", "jaccard", "jaro_similarity", "strip_accents"),
        *("jaro_winkler_similarity", "damerau_levenshtein", "hamming", "bar", "translate"),
        *("parse_path", "url_encode", "url_decode", "nfc_normalize", "repeat", "split_part"),
    }
)
_LIST_NODES = (
    exp.ArrayConcat,
    exp.ArrayContains,
    exp.ArrayContainsAll,
    exp.ArrayFilter,
    exp.ArrayOverlaps,
    exp.ArraySize,
    exp.ArraySlice,
    exp.ArraySort,
    exp.ArrayToString,
    exp.Explode,
    exp.Length,
    exp.Transform,
    exp.Unnest,
)
_LIST_FUNCTIONS = ("list_", "array_")
_BOOLEAN_PARENTS = (exp.And, exp.Or, exp.Not, exp.Where, exp.Having, exp.Qualify, exp.Join)
_BY_KIND = (
    (_TEXT_NODES, TEXT),
    ((exp.Any, exp.ArrayAny, exp.ArrayAll), LIST),
    ((*_BOOLEAN_PARENTS, exp.Is, exp.Filter), BOOL),
)
_TEMPORAL = exp.DataType.TEMPORAL_TYPES


def want_of(node: exp.Expr, kind_of: KindOf) -> Want:
    """Returns how a chain is used, by the node above it and the values beside it."""
    top, direct = node, True
    while top.parent is not None:
        parent = top.parent
        want = _above(top, parent, lambda value: _by_value(value, node, kind_of), direct=direct)
        if want is not None:
            return want
        direct = direct and isinstance(parent, exp.Paren)
        top = parent
    return BARE


def _above(
    top: exp.Expr, parent: exp.Expr, by_value: Callable[[exp.Expr], Want], *, direct: bool
) -> Want | None:
    """Returns the use that the node above asks for, None where it hands its value further up."""
    if isinstance(parent, exp.Paren | exp.Distinct | exp.Coalesce | exp.Nullif | exp.Case | exp.If):
        return _through(top, parent, by_value)
    if isinstance(parent, _COMPARISONS):
        other = parent.expression if top.arg_key == "this" else parent.this
        return LIST if isinstance(other, exp.Array) else by_value(other)
    if direct:
        special = _special(parent, top.arg_key)
        if special is not None:
            return special
    return _by_node(top, parent, by_value)


def _special(parent: exp.Expr, at: str | None) -> Want | None:
    """Returns the uses that take the place of the node above."""
    if isinstance(parent, exp.Cast) and at == "this":
        return Want(Use.CAST, parent.to)
    if isinstance(parent, exp.Typeof):
        return Want(Use.TYPEOF)
    if isinstance(parent, exp.Is) and isinstance(parent.expression, exp.Null):
        return Want(Use.PRESENT)
    return None


def _by_node(top: exp.Expr, parent: exp.Expr, by_value: Callable[[exp.Expr], Want]) -> Want:
    at = top.arg_key
    want = BARE
    if isinstance(parent, exp.Between):
        want = by_value(parent.args["low"] if at == "this" else parent.this)
    elif isinstance(parent, exp.In):
        want = _in(parent, at, by_value)
    elif isinstance(parent, _LIST_NODES):
        want = LIST if at in {"this", "expressions"} else BARE
    elif isinstance(parent, _NUMBER_NODES):
        want = _arithmetic(top, parent, by_value)
    elif isinstance(parent, exp.Anonymous | exp.AnonymousAggFunc):
        want = _by_function(str(parent.this).lower(), top.index or 0)
    else:
        for kinds, found in _BY_KIND:
            if isinstance(parent, kinds):
                return found
    return want


def _arithmetic(top: exp.Expr, parent: exp.Expr, by_value: Callable[[exp.Expr], Want]) -> Want:
    """Returns NUMBER, save beside a time: adding to one leaves the path what it is."""
    if isinstance(parent, exp.Add | exp.Sub):
        other = parent.expression if top.arg_key == "this" else parent.this
        want = by_value(other)
        if want.use is Use.AS_TYPE:
            return want
    return NUMBER


def _through(top: exp.Expr, parent: exp.Expr, by_value: Callable[[exp.Expr], Want]) -> Want | None:
    """Returns the use by the other values that a choice may give, None where they leave it open."""
    if isinstance(parent, exp.If) and top.arg_key == "this":
        holder = parent.parent
        subject = holder.this if isinstance(holder, exp.Case) else None
        return BOOL if subject is None else by_value(subject)
    if isinstance(parent, exp.Case) and top.arg_key == "this":
        return by_value(parent.args["ifs"][0].this) if parent.args.get("ifs") else BARE
    others: list[exp.Expr | None] = []
    if isinstance(parent, exp.Coalesce | exp.Nullif):
        others = [parent.this, parent.args.get("expression"), *parent.expressions]
    elif isinstance(parent, exp.If):
        others = [parent.args.get("true"), parent.args.get("false")]
    elif isinstance(parent, exp.Case):
        ifs = parent.args.get("ifs") or []
        others = [parent.args.get("default"), *(each.args.get("true") for each in ifs)]
    for other in others:
        if other is None or other is top or other.parent is top:
            continue
        want = by_value(other)
        if want.use is not Use.BARE:
            return want
    return None


def _in(parent: exp.In, at: str | None, by_value: Callable[[exp.Expr], Want]) -> Want:
    if at == "field":
        return LIST
    if at != "this":
        return by_value(parent.this)
    if parent.expressions:
        return by_value(parent.expressions[0])
    query = parent.args.get("query")
    select = query.unnest() if isinstance(query, exp.Subquery) else query
    if isinstance(select, exp.Select) and select.expressions:
        return by_value(select.expressions[0])
    return BARE


def _by_function(name: str, position: int) -> Want:
    if name in _NUMBER_FUNCTIONS:
        return NUMBER if position == 0 or name.startswith(("regr", "covar")) else BARE
    if name in _TEXT_FUNCTIONS:
        return TEXT
    if name.startswith(_LIST_FUNCTIONS) or name in {"len", "unnest", "flatten"}:
        return LIST if position == 0 else BARE
    return BARE


def _by_value(value: exp.Expr, path: exp.Expr, kind_of: KindOf) -> Want:
    """Returns the use that a value beside a path asks for."""
    while isinstance(value, exp.Paren | exp.Neg | exp.Alias):
        value = value.this
    if isinstance(value, exp.Literal):
        return TEXT if value.is_string else NUMBER
    inner: exp.Expr | None = None
    if isinstance(value, exp.Subquery) and isinstance(value.this, exp.Select):
        inner = value.this.expressions[0]
    elif isinstance(value, exp.Coalesce | exp.Min | exp.Max | exp.AnyValue | exp.First | exp.Last):
        inner = value.this
    if inner is not None:
        return _by_value(inner, path, kind_of)
    known = kind_of(value, path)
    if known is not None or isinstance(value, exp.Any):
        return known or BARE
    if isinstance(value, _NUMBER_NODES) and not isinstance(value, exp.Add | exp.Sub):
        return NUMBER
    return _by_type(value)


def _by_type(value: exp.Expr) -> Want:
    """Returns the use by the type that a function or cast gives."""
    found = value.to if isinstance(value, exp.Cast) else None
    if found is None:
        found = annotate_types(value.copy(), dialect=TraceSQL).type
    return want_of_type(found)


def want_of_type(found: exp.DataType | None) -> Want:
    """Returns how a path is used beside a value of a type."""
    if found is None:
        return BARE
    if found.this in exp.DataType.NUMERIC_TYPES:
        return NUMBER
    if found.this in exp.DataType.TEXT_TYPES:
        return TEXT
    if found.this == exp.DType.BOOLEAN:
        return BOOL
    if found.this in _TEMPORAL:
        return Want(Use.AS_TYPE, found)
    return BARE


def want_of_parameter(value: object) -> Want:
    """Returns how a path is used beside a parameter's value."""
    if isinstance(value, bool):
        return BOOL
    if isinstance(value, int | float):
        return NUMBER
    return TEXT if isinstance(value, str) else BARE


def common(left: Sequence[str], right: Sequence[str], *, ordered: bool) -> Want:
    """Returns how two paths are compared, by their leaf types: as what both of them can be.

    Args:
        left: leaf types of one.
        right: leaf types of the other.
        ordered: whether the comparison is one of order: then numbers count where both have some.
    """
    kinds = [_kinds(left), _kinds(right)]
    both = kinds[0] & kinds[1]
    if not kinds[0] or not kinds[1]:
        return BARE
    for kind, want in (("number", NUMBER), ("text", TEXT), ("bool", BOOL)):
        if both == {kind} or (ordered and kind in both):
            return want
    return Want(Use.JSON)


def _kinds(leaf_types: Sequence[str]) -> set[str]:
    return {LEAVES[leaf_type].kind for leaf_type in leaf_types}
