"""What differs between some spans and the others: the values of each attribute on both sides, over time."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from tracestore.errors import PathSyntaxError
from tracestore.variant import parse_path
from tracestore_query.doors.tempo.asked import Ask, Rows
from tracestore_query.doors.tempo.series import MAX_ROWS, Steps, prometheus
from tracestore_query.doors.tempo.values import field_value
from tracestore_query.doors.traceql import tree
from tracestore_query.doors.traceql.conditions import field_sql
from tracestore_query.doors.traceql.parser import parse_field
from tracestore_query.doors.traceql.spansets import Selection
from tracestore_query.errors import QuerySyntaxError

MAX_FIELDS: Final = 40
"""Attributes that are compared, those of most spans first: each is a grouping of all spans."""

_SCALARS: Final = "('str', 'i64', 'f64', 'bool')"
_OWN: Final = ("name", "kind", "status", "resource.service.name")
_SCOPES: Final = {"attributes": "span", "resource": "resource"}
_SIDES: Final = {True: "selection", False: "baseline"}

Labels = tuple[tuple[str, Any], ...]


def compared_series(pipeline: tree.Pipeline, steps: Steps, ask: Ask) -> dict[str, Any] | None:
    """Returns Tempo's answer to a comparison over a range of time, None where a text asks for none.

    Raises:
        QuerySyntaxError: where other stages stand beside it.
    """
    stages = [each for each in pipeline.stages if isinstance(each, tree.Compared)]
    if not stages:
        return None
    if len(pipeline.stages) > 1:
        raise QuerySyntaxError("cannot make series: compare stands alone behind its spans")
    fields = _fields(ask)
    rows = _rows(Selection(pipeline.spans, steps.window()), stages[0], fields, steps, ask)
    points: dict[Labels, dict[int, float]] = defaultdict(dict)
    for row in rows:
        field, side = fields[row["field"]], _SIDES[row["chosen"]]
        is_total = row["value"] is None
        labels = (
            ("__meta_type", f"{side}_total" if is_total else side),
            (field.text, None if is_total else row["value"]),
        )
        points[labels][row["bucket"]] = float(row["spans"])
    names = {field.text: field for field in fields}
    made = [_series(labels, points[labels], steps, names) for labels in sorted(points, key=repr)]
    return {"series": made, "metrics": {}}


def _fields(ask: Ask) -> list[tree.Field]:
    """Returns the fields that most spans have."""
    sql = (
        f"SELECT path FROM paths WHERE \"table\" = 'spans' AND type IN {_SCALARS} "
        "AND (starts_with(path, 'attributes.') OR starts_with(path, 'resource.')) "
        f"GROUP BY path ORDER BY sum(rows) DESC, path LIMIT {MAX_FIELDS}"
    )
    found = [parse_field(name) for name in _OWN]
    for row in ask(sql, {}):
        try:
            column, *keys = parse_path(row["path"])
        except PathSyntaxError:
            continue
        key = ".".join(map(str, keys))
        text = f"{_SCOPES[str(column)]}.{key}"
        if keys and text not in _OWN:
            found.append(tree.Field(_SCOPES[str(column)], key, text))
    return found


def _rows(
    selected: Selection, stage: tree.Compared, fields: list[tree.Field], steps: Steps, ask: Ask
) -> Rows:
    chosen = [
        selected.conditions.condition(stage.condition),
        *([] if stage.begin_ns is None else [f"start_ns >= {stage.begin_ns:d}"]),
        *([] if stage.end_ns is None else [f"start_ns < {stage.end_ns:d}"]),
    ]
    columns = ", ".join(f"({field_sql(field)})::VARCHAR AS c{n}" for n, field in enumerate(fields))
    counts = " UNION ALL ".join(
        f"SELECT {n} AS field, chosen, bucket, c{n} AS value, count(*) AS spans FROM looked_at "
        f"WHERE c{n} IS NOT NULL GROUP BY ALL"
        for n in range(len(fields))
    )
    sql = (
        f"{selected.tables.rstrip() + ',' if selected.tables else 'WITH'} looked_at AS MATERIALIZED ("
        f"SELECT ((start_ns - $first_ns) // $step_ns)::BIGINT AS bucket, "
        f"coalesce({' AND '.join(chosen)}, false) AS chosen, {columns} FROM {selected.source}), "
        f"counts AS MATERIALIZED ({counts}), "
        "ranked AS (SELECT field, chosen, value, row_number() OVER "
        "(PARTITION BY field, chosen ORDER BY total DESC, value) AS place FROM "
        "(SELECT field, chosen, value, sum(spans) AS total FROM counts GROUP BY ALL)) "
        "SELECT c.field, c.chosen, c.bucket, c.value, c.spans FROM counts AS c JOIN ranked AS r "
        "ON r.field = c.field AND r.chosen = c.chosen AND r.value = c.value "
        f"WHERE r.place <= {stage.top:d} "
        "UNION ALL SELECT field, chosen, bucket, NULL, sum(spans)::BIGINT FROM counts GROUP BY ALL "
        f"LIMIT {MAX_ROWS}"
    )
    return ask(sql, {**selected.values(), "first_ns": steps.first_ns, "step_ns": steps.step_ns})


def _series(
    labels: Labels, points: dict[int, float], steps: Steps, fields: dict[str, tree.Field]
) -> dict[str, Any]:
    named = [
        {
            "key": key,
            "value": field_value(fields[key], value) if key in fields else {"stringValue": value},
        }
        for key, value in labels
    ]
    return {
        "labels": named,
        "promLabels": prometheus(named),
        "samples": [
            {
                "timestampMs": str((steps.first_ns + bucket * steps.step_ns) // 1_000_000),
                "value": points.get(bucket, 0.0),
            }
            for bucket in range(steps.count)
        ],
        "exemplars": [],
    }
