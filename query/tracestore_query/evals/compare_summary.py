"""Experiments compared in sum: averages, what improved and regressed, new and missing cases, tokens, cost, time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tracestore.errors import ExperimentError
from tracestore_query.query import Query
from tracestore_query.tables.compare import SAME, Comparison, comparison, path_sql

METRICS: Final = ("duration", "tokens", "prompt_tokens", "completion_tokens", "cost")
"""What is summed beside scores: seconds of the case, and tokens and cost of its trace without its scorers."""

MAX_TRIALS: Final = 1_000_000
"""Root spans of all experiments together; about 1 KiB each while they are summed."""

_SAME: Final = float(SAME)


@dataclass(slots=True)
class _Case:
    """The trials of one case in one experiment."""

    name: str
    group: str | None
    input_key: int | None
    span: tuple[str, str]
    trials: int = 0
    errors: int = 0
    values: dict[str, list[float]] = field(default_factory=dict)
    metrics: dict[str, list[float]] = field(default_factory=dict)

    def scores(self) -> dict[str, float]:
        """Returns the mean of each score over the trials."""
        return {name: math.fsum(values) / len(values) for name, values in self.values.items()}


_Cases = dict[str, _Case]


def compare_experiments(
    query: Query,
    names: Sequence[str],
    *,
    key: str | None = None,
    group_by: str | None = None,
    project: str | None = None,
    projects: Collection[str] | None = None,
    cases: int = 1000,
    timeout_s: float | None = 120.0,
) -> dict[str, Any]:
    """Returns experiments compared with the first of them.

    Args:
        query: the query layer over a store.
        names: two to eight experiments.
        key: the path whose value makes two cases the same; default their inputs.
        group_by: the path whose values part the summary; looked for on the case, then on its trace's spans.
        project: the project of all of them, None for every one that may be seen.
        projects: the projects that may be seen, None for all.
        cases: cases listed at most, those that fell most first.
        timeout_s: seconds until it is stopped, None for no bound.

    Raises:
        QueryError: for a key or group that is no path, or names that are not two to eight.
        ExperimentError: where one of them has no case.
    """
    wanted = comparison(names, key, project)
    group = None if group_by is None else path_sql(group_by)
    with query.sql(
        _trials_sql(wanted, group), projects=projects, timeout_s=timeout_s, max_rows=MAX_TRIALS
    ) as result:
        rows = result.rows()
        found = _gathered(wanted, rows)
        warnings = [text for text in result.warnings if "was cut" in text]
    absent = [name for name in wanted.names if not found[name]]
    if absent:
        raise ExperimentError(
            f"cannot compare experiment {absent[0]!r}: it has no root span"
            + ("" if key is None else f" with {key}")
            + "; see `SELECT * FROM experiments`"
        )
    summary = {
        "baseline": wanted.names[0],
        "experiments": _summaries(found, wanted.names),
        "cases": _listed(found, wanted.names, cases),
        "warnings": warnings,
    }
    if group is not None:
        summary["groups"] = [
            {"group": value, "experiments": _summaries(_gathered(wanted, members), wanted.names)}
            for value, members in _groups(rows)
        ]
    return summary


def _trials_sql(wanted: Comparison, group: str | None) -> str:
    """Returns the query of every trial of every experiment, with what its trace's spans used.

    Spans of scorers, told by their type or purpose, and all spans below them are no part of the task.
    """
    grouped = "NULL" if group is None else f"{group}::VARCHAR"
    shown = "NULL" if group is None else f"coalesce(root.{group}::VARCHAR, used.grouped)"
    return f"""
        WITH RECURSIVE run_spans AS MATERIALIZED (
            SELECT
                project,
                experiment,
                trace_id,
                span_id,
                parent_span_id,
                coalesce(type, '') = 'score'
                    OR coalesce(attributes.tracestore.purpose::VARCHAR, '') = 'scorer'
                    OR coalesce(attributes.braintrust.purpose::VARCHAR, '') = 'scorer' AS is_scorer,
                coalesce(metrics.tokens + 0, metrics.prompt_tokens + metrics.completion_tokens) AS tokens,
                metrics.prompt_tokens AS prompt_tokens,
                metrics.completion_tokens AS completion_tokens,
                metrics.estimated_cost AS cost,
                {grouped} AS grouped
            FROM spans
            WHERE {wanted.cases.replace("is_root AND ", "")}
        ),
        scorer_spans AS (
            SELECT project, trace_id, span_id FROM run_spans WHERE is_scorer
            UNION
            SELECT child.project, child.trace_id, child.span_id
            FROM run_spans AS child
            JOIN scorer_spans AS parent
            ON child.project = parent.project AND child.trace_id = parent.trace_id
                AND child.parent_span_id = parent.span_id
        ),
        used AS (
            SELECT
                project,
                experiment,
                trace_id,
                sum(tokens) AS tokens,
                sum(prompt_tokens) AS prompt_tokens,
                sum(completion_tokens) AS completion_tokens,
                sum(cost) AS cost,
                max(grouped) AS grouped
            FROM run_spans
            WHERE (project, trace_id, span_id) NOT IN (SELECT (project, trace_id, span_id) FROM scorer_spans)
            GROUP BY project, experiment, trace_id
        )
        SELECT
            root.experiment AS run,
            root.{wanted.key}::VARCHAR AS case_key,
            root.input_key AS input_key,
            root.name AS name,
            root.trace_id AS trace_id,
            root.span_id AS span_id,
            root.status_code AS status_code,
            root.scores AS scores,
            root.duration AS duration,
            used.tokens AS tokens,
            used.prompt_tokens AS prompt_tokens,
            used.completion_tokens AS completion_tokens,
            used.cost AS cost,
            {shown} AS grouped
        FROM (SELECT * FROM spans WHERE {wanted.cases}) AS root
        LEFT JOIN used
        ON used.project = root.project AND used.experiment = root.experiment AND used.trace_id = root.trace_id
        WHERE root.{wanted.key} IS NOT NULL
    """


def _gathered(wanted: Comparison, rows: Iterable[Mapping[str, Any]]) -> dict[str, _Cases]:
    found: dict[str, _Cases] = {name: {} for name in wanted.names}
    for row in rows:
        cases = found[row["run"]]
        case = cases.get(row["case_key"])
        if case is None:
            span = (row["trace_id"], row["span_id"])
            case = _Case(row["name"], row["grouped"], row["input_key"], span)
            cases[row["case_key"]] = case
        case.trials += 1
        case.errors += row["status_code"] == "ERROR"
        for name, value in numbers(row["scores"]):
            case.values.setdefault(name, []).append(value)
        for name in METRICS:
            if row[name] is not None:
                case.metrics.setdefault(name, []).append(float(row[name]))
    return found


def numbers(value: Any, prefix: str = "") -> Iterable[tuple[str, float]]:
    """Yields the numbers of an object by their path; true and false are 1 and 0."""
    if isinstance(value, str):
        value = _parsed(value)
    if isinstance(value, dict):
        for name, item in value.items():
            yield from numbers(item, f"{prefix}.{name}" if prefix else str(name))
    elif prefix and isinstance(value, bool | int | float) and math.isfinite(value):
        yield prefix, float(value)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _summaries(found: Mapping[str, _Cases], names: Sequence[str]) -> list[dict[str, Any]]:
    baseline = found[names[0]]
    return [_summary(name, found[name], None if name == names[0] else baseline) for name in names]


def _summary(name: str, cases: _Cases, baseline: _Cases | None) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "name": name,
        "cases": len(cases),
        "trials": sum(case.trials for case in cases.values()),
        "errors": sum(case.errors for case in cases.values()),
        "scores": _averages(cases.values(), lambda case: case.scores().items()),
        "metrics": _metrics(cases.values()),
    }
    if baseline is not None:
        summary["new_cases"] = len(cases.keys() - baseline.keys())
        summary["missing_cases"] = len(baseline.keys() - cases.keys())
        summary["against_baseline"] = _against(cases, baseline)
    return summary


def _averages(
    cases: Iterable[_Case], values: Callable[[_Case], Iterable[tuple[str, float]]]
) -> dict[str, float]:
    gathered: dict[str, list[float]] = {}
    for case in cases:
        for name, value in values(case):
            gathered.setdefault(name, []).append(value)
    return {name: math.fsum(each) / len(each) for name, each in sorted(gathered.items())}


def _metrics(cases: Iterable[_Case]) -> dict[str, dict[str, float]]:
    """Returns the sum over all trials, and the mean of a trial."""
    gathered: dict[str, list[float]] = {}
    for case in cases:
        for name, values in case.metrics.items():
            gathered.setdefault(name, []).extend(values)
    return {
        name: {"sum": math.fsum(values), "mean": math.fsum(values) / len(values)}
        for name, values in gathered.items()
    }


def _against(cases: _Cases, baseline: _Cases) -> dict[str, dict[str, Any]]:
    """Returns, for each score, what became of the cases that both have scored."""
    scores: dict[str, dict[str, Any]] = {}
    for key in cases.keys() & baseline.keys():
        before, after = baseline[key].scores(), cases[key].scores()
        for name in before.keys() & after.keys():
            each = scores.setdefault(
                name, {"difference": [], "improvements": 0, "regressions": 0, "unchanged": 0}
            )
            difference = after[name] - before[name]
            each["difference"].append(difference)
            each["improvements"] += difference > _SAME
            each["regressions"] += difference < -_SAME
            each["unchanged"] += abs(difference) <= _SAME
    for each in scores.values():
        each["difference"] = math.fsum(each["difference"]) / len(each["difference"])
    return dict(sorted(scores.items()))


def _listed(found: Mapping[str, _Cases], names: Sequence[str], most: int) -> list[dict[str, Any]]:
    keys = dict.fromkeys(key for name in names for key in found[name])
    ranked = sorted(keys, key=lambda key: _worst(found, names, key))
    return [_shown(found, names, key) for key in ranked[:most]]


def _worst(found: Mapping[str, _Cases], names: Sequence[str], key: str) -> float:
    """Returns the greatest fall of a score against the baseline, as a negative number."""
    base = found[names[0]].get(key)
    before = base.scores() if base is not None else {}
    falls = [
        value - before[score]
        for name in names[1:]
        if key in found[name]
        for score, value in found[name][key].scores().items()
        if score in before
    ]
    return min(falls, default=0.0)


def _shown(found: Mapping[str, _Cases], names: Sequence[str], key: str) -> dict[str, Any]:
    runs = {name: found[name][key] for name in names if key in found[name]}
    first = next(iter(runs.values()))
    base = runs[names[0]].scores() if names[0] in runs else {}
    listed: dict[str, Any] = {}
    for name, case in runs.items():
        scores = case.scores()
        listed[name] = {
            "trace_id": case.span[0],
            "span_id": case.span[1],
            "trials": case.trials,
            "errors": case.errors,
            "scores": scores,
            "metrics": {
                metric: math.fsum(values) / len(values) for metric, values in case.metrics.items()
            },
        }
        if name != names[0]:
            listed[name]["difference"] = {
                score: value - base[score] for score, value in scores.items() if score in base
            }
    return {
        "key": key,
        "input_key": first.input_key,
        "name": first.name,
        "group": first.group,
        "experiments": listed,
    }


def _groups(
    rows: Iterable[Mapping[str, Any]],
) -> list[tuple[str | None, list[Mapping[str, Any]]]]:
    """Returns the trials of each group, groups in order; a trial belongs to the group of its own value."""
    groups: dict[str | None, list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["grouped"], []).append(row)
    return sorted(groups.items(), key=lambda item: (item[0] is None, item[0] or ""))
