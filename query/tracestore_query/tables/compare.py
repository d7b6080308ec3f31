"""`compare('a', 'b', ...)`: scores of experiments side by side, case by case; `trial_scores`: what they are means of.

A score is a number under `scores`, by its keys joined with dots; true and false are 1 and 0. Texts, lists and numbers
that are not finite are no scores. `compare` and the summary of experiments are both computed from `trial_scores`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from tracestore_query.errors import QuerySyntaxError, UnknownNameError
from tracestore_query.language.dialect import generate, parse
from tracestore_query.language.path_syntax import steps_of
from tracestore_query.tables.meaning import StoreFacts, View
from tracestore_query.tables.names import quoted

_ARGUMENTS: Final = "('baseline', 'experiment'[, ...][, key := 'path'][, project := 'name'])"
MAX_EXPERIMENTS: Final = 8
"""More than a person compares; each is one join."""

SAME: Final = "1e-9"
"""A difference of scores below this is rounding: means of equal trials may differ in their last bit."""

_NO_SCORES: Final = "[]::STRUCT(score VARCHAR, value DOUBLE)[]"


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
    def spans(self) -> str:
        """Returns SQL that is true of the experiments' spans."""
        wanted = ", ".join(quoted(name) for name in self.names)
        owner = "" if self.project is None else f" AND project = {quoted(self.project)}"
        return f"experiment IN ({wanted}){owner}"

    @property
    def cases(self) -> str:
        """Returns SQL that is true of a span that is a case."""
        return f"is_root AND {self.spans} AND {self.key} IS NOT NULL"

    def call(self, function: str) -> str:
        """Returns a call of a table function over the same experiments."""
        names = ", ".join(quoted(name) for name in self.names)
        owner = "" if self.project is None else f", project := {quoted(self.project)}"
        return f"{function}({names}, key := {quoted(self.key)}{owner})"


def comparison(names: Sequence[str], key: str | None, project: str | None) -> Comparison:
    """Returns a checked comparison.

    Raises:
        UnknownNameError: where there are not two to eight different names, or the key is no path.
    """
    if not 2 <= len(names) <= MAX_EXPERIMENTS or len(set(names)) != len(names):
        raise UnknownNameError(
            f"cannot compare experiments: got {', '.join(names) or 'none'}; want 2 to {MAX_EXPERIMENTS} "
            f"different names: compare{_ARGUMENTS}"
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


def trial_scores(arguments: Sequence[exp.Expr], facts: StoreFacts) -> View:
    """Returns the query of each score of each trial.

    Args:
        arguments: of the call: the names of experiments, and options.
        facts: the scores that spans have.

    Raises:
        UnknownNameError: where the arguments are not two or more names in quotes.
    """
    wanted = _called("trial_scores", arguments)
    return View(_trial_scores(wanted, facts))


def compare(arguments: Sequence[exp.Expr], facts: StoreFacts) -> View:
    """Returns the query that a `compare` call stands for.

    A case is a root span. Cases of two experiments are the same where their inputs (or what `key` names) are.
    Several trials of one case count by their mean.

    Args:
        arguments: of the call: the baseline, the experiments compared with it, and options.
        facts: the scores that spans have.

    Raises:
        UnknownNameError: where the arguments are not two or more names in quotes.
    """
    wanted = _called("compare", arguments)
    first = "min(struct_pack(at := start_ns, trace := trace_id, span := span_id, name := name))"
    cases = f"""
        SELECT experiment AS run, {wanted.key}::VARCHAR AS case_key, min(input_key) AS input_key,
            count(*) AS trials, {first} AS first
        FROM spans WHERE {wanted.cases} GROUP BY 1, 2
    """
    means = "SELECT run, case_key, score, avg(value) AS value FROM trials GROUP BY 1, 2, 3"
    scored = f"""
        SELECT s.run AS run, s.case_key AS case_key, s.score AS score, s.value AS value, c.input_key AS input_key,
            c.trials AS trials, c.first['name'] AS name, c.first['trace'] AS trace_id
        FROM ({means}) AS s JOIN ({cases}) AS c ON s.run = c.run AND s.case_key = c.case_key
    """
    pairs = " UNION ALL ".join(_pair(wanted.names[0], other) for other in wanted.names[1:])
    return View(
        f"WITH trials AS ({_trial_scores(wanted, facts)}), scored AS MATERIALIZED ({scored}) "
        "SELECT input_key, case_key, name, score, experiment, before, after, difference, "
        "CASE WHEN before IS NULL THEN 'new' WHEN after IS NULL THEN 'missing' "
        f"WHEN difference > {SAME} THEN 'improved' WHEN difference < -{SAME} THEN 'regressed' "
        "ELSE 'same' END AS status, trials_before, trials_after, trace_before, trace_after "
        f"FROM ({pairs}) AS compared"
    )


def _trial_scores(wanted: Comparison, facts: StoreFacts) -> str:
    named = [
        f"{{'score': {quoted('.'.join(keys))}, 'value': {_number(keys)}}}"
        for keys in facts.scores()
    ]
    listed = f"[{', '.join(named)}]" if named else _NO_SCORES
    return f"""
        SELECT run, case_key, trace_id, span_id, one['score'] AS score, one['value'] AS value
        FROM (
            SELECT experiment AS run, {wanted.key}::VARCHAR AS case_key, trace_id, span_id, unnest({listed}) AS one
            FROM spans WHERE {wanted.cases}
        ) AS each
        WHERE isfinite(one['value'])
    """


def _number(keys: Sequence[str]) -> str:
    """Returns SQL of a score as a number: a sum takes numbers alone, a condition booleans alone."""
    value = f"scores{''.join(f'[{quoted(key)}]' for key in keys)}"
    return (
        f"coalesce(({value} + 0)::DOUBLE, "
        f"CASE WHEN {value} = true THEN 1.0::DOUBLE WHEN {value} = false THEN 0.0::DOUBLE END)"
    )


def _called(function: str, arguments: Sequence[exp.Expr]) -> Comparison:
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
                f"cannot run query: {function}() takes names in quotes; want {function}{_ARGUMENTS}"
            )
    return comparison(names, options.get("key"), options.get("project"))


def _pair(baseline: str, other: str) -> str:
    return (
        "SELECT coalesce(b.input_key, a.input_key) AS input_key, coalesce(b.case_key, a.case_key) AS case_key, "
        "coalesce(b.name, a.name) AS name, "
        f"coalesce(b.score, a.score) AS score, {quoted(other)} AS experiment, a.value AS before, "
        "b.value AS after, b.value - a.value AS difference, a.trials AS trials_before, b.trials AS trials_after, "
        "a.trace_id AS trace_before, b.trace_id AS trace_after "
        f"FROM (SELECT * FROM scored WHERE run = {quoted(baseline)}) AS a "
        f"FULL JOIN (SELECT * FROM scored WHERE run = {quoted(other)}) AS b "
        "ON a.case_key = b.case_key AND a.score = b.score"
    )
