"""`compare('a', 'b', ...)`: the scores of experiments side by side, case by case."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from tracestore_query.errors import UnknownNameError
from tracestore_query.tables import quoted

USAGE = "compare('baseline', 'experiment'[, ...])"
MAX_EXPERIMENTS = 16
"""More than a person compares; each is one join."""

_NO_SCORES = """
    SELECT NULL::BIGINT AS input_key, NULL::VARCHAR AS name, NULL::VARCHAR AS score,
           NULL::VARCHAR AS experiment, NULL::DOUBLE AS before, NULL::DOUBLE AS after,
           NULL::DOUBLE AS difference
    WHERE false
"""


def compare_sql(arguments: Sequence[exp.Expr], scores: Sequence[Sequence[str]]) -> str:
    """Returns the query that a `compare` call stands for.

    A case is a root span; cases of two experiments are the same where their inputs are, and several
    runs of one input count by their mean.

    Args:
        arguments: of the call: the experiment compared with, and those compared.
        scores: keys of every score, below `scores`.

    Raises:
        UnknownNameError: where the arguments are not two or more names in quotes.
    """
    names = [
        str(each.this) for each in arguments if isinstance(each, exp.Literal) and each.is_string
    ]
    if len(names) != len(arguments) or not 2 <= len(names) <= MAX_EXPERIMENTS:
        raise UnknownNameError(f"cannot run query: compare() takes names in quotes; want {USAGE}")
    if not scores:
        return _NO_SCORES
    columns = ", ".join(
        f"avg(scores{''.join(f'[{quoted(key)}]' for key in keys)}::DOUBLE) AS s{i}"
        for i, keys in enumerate(scores)
    )
    listed = ", ".join(
        f"{{'score': {quoted('.'.join(keys))}, 'value': s{i}}}" for i, keys in enumerate(scores)
    )
    wanted = ", ".join(quoted(name) for name in names)
    pairs = " UNION ALL ".join(_pair(names[0], other) for other in names[1:])
    return (
        f"WITH cases AS (SELECT experiment, input_key, any_value(name) AS name, {columns} FROM spans "
        f"WHERE is_root AND input_key IS NOT NULL AND experiment IN ({wanted}) GROUP BY experiment, input_key), "
        f"each AS (SELECT experiment, input_key, name, unnest([{listed}]) AS one FROM cases), "
        "flat AS (SELECT experiment AS run, input_key AS key, name, one['score'] AS score, one['value'] AS value "
        "FROM each WHERE one['value'] IS NOT NULL) "
        f"SELECT input_key, name, score, experiment, before, after, difference FROM ({pairs}) AS compared"
    )


def _pair(baseline: str, other: str) -> str:
    return (
        "SELECT coalesce(b.key, a.key) AS input_key, coalesce(b.name, a.name) AS name, "
        f"coalesce(b.score, a.score) AS score, {quoted(other)} AS experiment, a.value AS before, "
        "b.value AS after, b.value - a.value AS difference "
        f"FROM (SELECT * FROM flat WHERE run = {quoted(baseline)}) AS a "
        f"FULL JOIN (SELECT * FROM flat WHERE run = {quoted(other)}) AS b "
        "ON a.key = b.key AND a.score = b.score"
    )
