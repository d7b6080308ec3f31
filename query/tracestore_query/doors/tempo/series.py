"""Series of a metric over time, as Tempo gives them."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any, Final

from tracestore_query.doors.tempo.asked import Ask, Rows
from tracestore_query.doors.tempo.values import field_value
from tracestore_query.doors.traceql import tree
from tracestore_query.doors.traceql.conditions import COLUMNS, DURATIONS, field_sql
from tracestore_query.doors.traceql.spansets import Selection, Window
from tracestore_query.errors import QueryParameterError, QuerySyntaxError

MAX_POINTS: Final = 11_000
"""Moments of one series: more than a screen has, and what Prometheus allows."""

MAX_SERIES: Final = 1000
"""Series of one answer; the largest are kept and the answer says so."""

MAX_ROWS: Final = 500_000
"""Points of all series of one answer: about 100 MB on the way."""

_AGGREGATES: Final = {
    "sum_over_time": "sum({})",
    "avg_over_time": "avg({})",
    "min_over_time": "min({})",
    "max_over_time": "max({})",
}
_COUNTS: Final = frozenset({"rate", "count_over_time", "histogram_over_time"})
"""Functions of which a moment without spans is zero, not unknown."""

Label = tuple[str, Any]
Labels = tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Steps:
    """Moments of series: whole steps since 1970.

    Attributes:
        first_ns: the first of them.
        step_ns: from one to the next.
        count: how many there are.
    """

    first_ns: int
    step_ns: int
    count: int

    def window(self) -> Window:
        """Returns the time that they cover."""
        epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        begin = epoch + dt.timedelta(microseconds=self.first_ns // 1000)
        length = dt.timedelta(microseconds=self.step_ns * self.count // 1000)
        return Window(begin, begin + length)


def steps_of(begin: dt.datetime, end: dt.datetime, step: dt.timedelta) -> Steps:
    """Returns the moments between two times.

    Raises:
        QueryParameterError: where they are none, or too many.
    """
    epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    microsecond = dt.timedelta(microseconds=1)
    step_us = max(step // microsecond, 1)
    first, last = (
        (begin - epoch) // microsecond // step_us,
        -((epoch - end) // microsecond // step_us),
    )
    count = last - first
    if not 0 < count <= MAX_POINTS:
        raise QueryParameterError(
            f"cannot make series: they have {count} moments, want 1 to {MAX_POINTS}; choose start, end and step"
        )
    return Steps(first * step_us * 1000, step_us * 1000, count)


def series(pipeline: tree.Pipeline, steps: Steps, ask: Ask) -> dict[str, Any]:
    """Returns Tempo's answer to a metric over a range of time."""
    metric, ranked = _stages(pipeline)
    rows = _rows(pipeline.spans, metric, steps, ask)
    points: dict[Labels, dict[int, float]] = defaultdict(dict)
    for row in rows:
        for labels, value in _points(metric, row, steps):
            points[labels][row["bucket"]] = value
    kept, cut = _kept(points, ranked)
    answer: dict[str, Any] = {
        "series": [_series(metric, labels, points[labels], steps) for labels in kept],
        "metrics": {"inspectedSpans": str(sum(row["spans"] for row in rows))},
    }
    if cut:
        answer |= {
            "status": "PARTIAL",
            "message": f"the {MAX_SERIES} largest of {len(points)} series",
        }
    return answer


def instant(pipeline: tree.Pipeline, steps: Steps, ask: Ask) -> dict[str, Any]:
    """Returns Tempo's answer to a metric over a range of time as one value a series."""
    whole = Steps(steps.first_ns, steps.step_ns * steps.count, 1)
    found = series(pipeline, whole, ask)
    for each in found["series"]:
        [sample] = each.pop("samples")
        del each["exemplars"]
        each["value"] = sample["value"]
    return found


def _stages(pipeline: tree.Pipeline) -> tuple[tree.Metric, tree.Ranked | None]:
    stages = [each for each in pipeline.stages if not isinstance(each, tree.Select)]
    if not stages or not isinstance(stages[0], tree.Metric):
        raise QuerySyntaxError("cannot make series: no metric is asked for; write {} | rate()")
    if len(stages) > 2 or (len(stages) == 2 and not isinstance(stages[1], tree.Ranked)):
        raise QuerySyntaxError("cannot make series: only topk or bottomk can follow a metric")
    ranked = stages[1] if len(stages) == 2 else None
    assert ranked is None or isinstance(ranked, tree.Ranked)
    return stages[0], ranked


def _rows(spans: tree.Spans, metric: tree.Metric, steps: Steps, ask: Ask) -> Rows:
    selected = Selection(spans, steps.window())
    groups = "".join(f", {field_sql(field)} AS g{n}" for n, field in enumerate(metric.by))
    value, powers = _value(selected, metric)
    sql = (
        f"{selected.tables}SELECT ((start_ns - $first_ns) // $step_ns)::BIGINT AS bucket{groups}{powers}, "
        f"{value} AS value, count(*) AS spans FROM {selected.source} GROUP BY ALL LIMIT {MAX_ROWS + 1}"
    )
    values = {**selected.values(), "first_ns": steps.first_ns, "step_ns": steps.step_ns}
    rows = ask(sql, values)
    if len(rows) > MAX_ROWS:
        raise QuerySyntaxError(
            f"cannot make series: they have more than {MAX_ROWS} points; group by less or choose a longer step"
        )
    # No power of two is above nothing.
    return [row for row in rows if row["value"] is not None and row.get("power", 0) is not None]


def _value(selected: Selection, metric: tree.Metric) -> tuple[str, str]:
    """Returns the value of a moment as SQL, and what its rows are grouped by besides."""
    if metric.of is None:
        return "count(*)", ""
    of = selected.conditions.of(metric.of)
    if (
        isinstance(metric.of, tree.Field)
        and metric.of.key in DURATIONS
        and of == COLUMNS["duration"]
    ):
        # Tempo gives durations in seconds.
        of = f"({of} / 1e9)"
    if metric.function == "histogram_over_time":
        power = f"pow(2, ceil(log2(CASE WHEN ({of})::DOUBLE > 0 THEN ({of})::DOUBLE END)))"
        return "count(*)", f", {power} AS power"
    if metric.function == "quantile_over_time":
        listed = ", ".join(f"{each:.17g}" for each in metric.quantiles)
        return f"quantile_cont(({of})::DOUBLE, [{listed}])", ""
    return _AGGREGATES[metric.function].format(f"({of})::DOUBLE"), ""


def _points(metric: tree.Metric, row: dict[str, Any], steps: Steps) -> list[tuple[Labels, float]]:
    """Returns what one row says of which series."""
    labels = tuple((field.text, row[f"g{n}"]) for n, field in enumerate(metric.by))
    value = row["value"]
    if metric.function == "rate":
        return [(labels, value / (steps.step_ns / 1e9))]
    if metric.function == "histogram_over_time":
        return [((*labels, ("__bucket", row["power"])), float(value))]
    if metric.function == "quantile_over_time":
        return [
            ((*labels, ("p", quantile)), float(each))
            for quantile, each in zip(metric.quantiles, value, strict=True)
        ]
    return [(labels, float(value))]


def _kept(
    points: dict[Labels, dict[int, float]], ranked: tree.Ranked | None
) -> tuple[list[Labels], bool]:
    """Returns the labels of the series that are shown, and whether some were cut for the bound alone."""
    most = MAX_SERIES if ranked is None else ranked.count
    if ranked is None and len(points) <= most:
        return sorted(points, key=repr), False
    sign = 1 if ranked is not None and ranked.function == "bottomk" else -1
    largest = sorted(points, key=lambda labels: (sign * sum(points[labels].values()), repr(labels)))
    return sorted(largest[:most], key=repr), ranked is None


def _series(
    metric: tree.Metric, labels: Labels, points: dict[int, float], steps: Steps
) -> dict[str, Any]:
    fields = {field.text: field for field in metric.by}
    named: list[dict[str, Any]] = [
        {
            "key": key,
            "value": field_value(fields[key], value) if key in fields else {"doubleValue": value},
        }
        for key, value in labels
    ] or [{"key": "__name__", "value": {"stringValue": metric.function}}]
    filled = range(steps.count) if metric.function in _COUNTS else sorted(points)
    return {
        "labels": named,
        "promLabels": prometheus(named),
        "samples": [
            {
                "timestampMs": str((steps.first_ns + bucket * steps.step_ns) // 1_000_000),
                "value": points.get(bucket, 0.0),
            }
            for bucket in filled
            if math.isfinite(points.get(bucket, 0.0))
        ],
        "exemplars": [],
    }


def prometheus(labels: list[dict[str, Any]]) -> str:
    """Returns labels as Prometheus writes them."""
    texts = []
    for label in labels:
        [value] = label["value"].values()
        text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        key = label["key"]
        name = key if key.replace("_", "").isalnum() else f'"{key}"'
        texts.append(f'{name}="{text}"')
    return "{" + ", ".join(texts) + "}"
