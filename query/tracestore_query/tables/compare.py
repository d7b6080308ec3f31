"""`compare('a', 'b', ...)`: the scores of experiments side by side, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from tracestore_query.errors import QuerySyntaxError, UnknownNameError
from tracestore_query.language.dialect import generate, parse
from tracestore_query.language.path_syntax import steps_of
from tracestore_query.tables.meaning import StoreFacts, View
from tracestore_query.tables.names import quoted

USAGE = "compare('baseline', 'experiment'[, ...][, key := 'path'][, project := 'name'])"
MAX_EXPERIMENTS = 8
"""More than a person compares; each is one join."""

SAME = "1e-9"
"""A difference of scores below this is rounding: means of equal trials may differ in their last bit."""

_NO_SCORES = """
    SELECT NULL::BIGINT AS input_key, NULL::VARCHAR AS case_key, NULL::VARCHAR AS name, NULL::VARCHAR AS score,
           NULL::VARCHAR AS experiment, NULL::DOUBLE AS before, NULL::DOUBLE AS after,
           NULL::DOUBLE AS difference, NULL::VARCHAR AS status, NULL::BIGINT AS trials_before,
           NULL::BIGINT AS trials_after
    WHERE false
"""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The experiments of a comparison.

    Attributes:
        names: of the experiment compared with, and those compared.
        key: SQL of what makes two cases the same.
        project: of all of them, None for every project that the query may see.
    """

    names: tuple[str, ...]
    key: str = "input_key"
    project: str | None = None

    @property
    def cases(self) -> str:
        """Returns SQL that is true of a span that is a case."""
        wanted = ", ".join(quoted(name) for name in self.names)
        owner = "" if self.project is None else f" AND project = {quoted(self.project)}"
        return f"is_root AND experiment IN ({wanted}){owner}"


def comparison(names: Sequence[str], key: str | None, project: str | None) -> Comparison:
    """Returns a checked comparison.

    Raises:
        UnknownNameError: where there are not two to eight different names, or the key is no path.
    """
    if not 2 <= len(names) <= MAX_EXPERIMENTS or len(set(names)) != len(names):
        raise UnknownNameError(
            f"cannot compare experiments: got {', '.join(names) or 'none'}; want 2 to {MAX_EXPERIMENTS} "
            f"different names: {USAGE}"
        )
    return Comparison(tuple(names), "input_key" if key is None else path_sql(key), project)


def path_sql(path: str) -> str:
    """Returns a path of spans as it stands in a query.

    Raises:
        UnknownNameError: where the text is not a path.
    """
    try:
        tree = parse(f"SELECT {path}")
    except QuerySyntaxError:
        tree = None
    listed = tree.expressions if isinstance(tree, exp.Select) else []
    if len(listed) != 1 or steps_of(listed[0]) is None:
        raise UnknownNameError(f"cannot compare experiments: {path!r} is no path of spans")
    # The tree and not the text: what else the text says is left behind.
    return generate(listed[0])


def compare(arguments: Sequence[exp.Expr], facts: StoreFacts) -> View:
    """Returns the query that a `compare` call stands for.

    A case is a root span. Cases of two experiments are the same where their inputs (or what `key` names) are.
    Several runs of one case count by their mean.

    Args:
        arguments: of the call: the baseline, the experiments compared with it, and options.
        facts: the scores that spans have.

    Raises:
        UnknownNameError: where the arguments are not two or more names in quotes.
    """
    scores = facts.scores()
    wanted = _called(arguments)
    if not scores:
        return View(_NO_SCORES)
    columns = ", ".join(
        f"avg(scores{''.join(f'[{quoted(key)}]' for key in keys)}::DOUBLE) AS s{i}"
        for i, keys in enumerate(scores)
    )
    listed = ", ".join(
        f"{{'score': {quoted('.'.join(keys))}, 'value': s{i}}}" for i, keys in enumerate(scores)
    )
    pairs = " UNION ALL ".join(_pair(wanted.names[0], other) for other in wanted.names[1:])
    return View(
        f"WITH cases AS (SELECT experiment, {wanted.key}::VARCHAR AS case_key, any_value(input_key) AS input_key, "
        f"any_value(name) AS name, count(*) AS trials, {columns} FROM spans "
        f"WHERE {wanted.cases} AND {wanted.key} IS NOT NULL GROUP BY experiment, {wanted.key}::VARCHAR), "
        f"each AS (SELECT experiment, case_key, input_key, name, trials, unnest([{listed}]) AS one FROM cases), "
        "flat AS (SELECT experiment AS run, case_key AS key, input_key, name, trials, one['score'] AS score, "
        "one['value'] AS value FROM each WHERE one['value'] IS NOT NULL) "
        "SELECT input_key, case_key, name, score, experiment, before, after, difference, "
        "CASE WHEN before IS NULL THEN 'new' WHEN after IS NULL THEN 'missing' "
        f"WHEN difference > {SAME} THEN 'improved' WHEN difference < -{SAME} THEN 'regressed' "
        "ELSE 'same' END AS status, trials_before, trials_after "
        f"FROM ({pairs}) AS compared"
    )


def _called(arguments: Sequence[exp.Expr]) -> Comparison:
    names: list[str] = []
    options: dict[str, str] = {}
    for each in arguments:
        if isinstance(each, exp.Literal) and each.is_string:
            names.append(str(each.this))
        elif (
            isinstance(each, exp.PropertyEQ | exp.Kwarg)
            and each.this.name.lower() in {"key", "project"}
            and isinstance(each.expression, exp.Literal)
            and each.expression.is_string
        ):
            options[each.this.name.lower()] = str(each.expression.this)
        else:
            raise UnknownNameError(
                f"cannot run query: compare() takes names in quotes; want {USAGE}"
            )
    return comparison(names, options.get("key"), options.get("project"))


def _pair(baseline: str, other: str) -> str:
    return (
        "SELECT coalesce(b.input_key, a.input_key) AS input_key, coalesce(b.key, a.key) AS case_key, "
        "coalesce(b.name, a.name) AS name, "
        f"coalesce(b.score, a.score) AS score, {quoted(other)} AS experiment, a.value AS before, "
        "b.value AS after, b.value - a.value AS difference, a.trials AS trials_before, b.trials AS trials_after "
        f"FROM (SELECT * FROM flat WHERE run = {quoted(baseline)}) AS a "
        f"FULL JOIN (SELECT * FROM flat WHERE run = {quoted(other)}) AS b "
        "ON a.key = b.key AND a.score = b.score"
    )
