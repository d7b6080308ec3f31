"""What is asked of every system: SQL templates, whose `{names}` each system writes in its own way.

`{table}` is the table, `{service}` and the like its fixed columns, and the other names are paths: see `PATHS`.
`{bucket}` is the start of five minutes, `{p95}` the exact 95th percentile of a span's duration.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Path:
    """A path of a workload: its variant column, its keys, and the type that somebody would declare."""

    variant: str
    keys: tuple[str, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Workload:
    """All that a system must know of a workload.

    Attributes:
        table: where tracestore keeps the rows.
        fixed: columns with a type, which every system declares.
        variants: columns of JSON.
        paths: by the names that questions use.
        questions: templates by name.
        many_paths: whether rows bring thousands of paths.
    """

    table: str
    fixed: dict[str, str]
    variants: tuple[str, ...]
    paths: dict[str, Path]
    questions: dict[str, str]
    many_paths: bool = False


_SPAN = {
    "trace_id": "VARCHAR",
    "span_id": "VARCHAR",
    "name": "VARCHAR",
    "service": "VARCHAR",
    "start_ns": "BIGINT",
    "duration_ns": "BIGINT",
    "experiment": "VARCHAR",
}
_COMMON = {
    "Q1 count by group": "SELECT {group} AS k, count(*) AS n FROM {table} GROUP BY 1",
    "Q2 sum by user": (
        "SELECT {user} AS k, sum({number}) AS n FROM {table} GROUP BY 1 ORDER BY n DESC, k LIMIT 10"
    ),
    "Q3 p95 by service and 5 minutes": (
        "SELECT service, {bucket} AS b, {p95} AS p FROM {table} GROUP BY 1, 2"
    ),
    "Q4 rare key": "SELECT count(*) AS n FROM {table} WHERE {rare} > 0",
    "Q5 mixed types": "SELECT count(*) AS n FROM {table} WHERE {mixed} >= 200",
    "Q6 nested range": (
        "SELECT count(*) AS n, sum({number}) AS s FROM {table} WHERE {nested} BETWEEN 2 AND 5"
    ),
    "Q7 top 10": (
        "SELECT span_id, {score} AS s FROM {table} WHERE {score} IS NOT NULL "
        "ORDER BY s DESC, span_id LIMIT 10"
    ),
    "Q8 trace by id": "SELECT span_id, name FROM {table} WHERE trace_id = '{trace}'",
    "Q9 latest 50 whole": "SELECT span_id, {whole} FROM {table} ORDER BY start_ns DESC LIMIT 50",
    "Q10 contains": "SELECT count(*) AS n FROM {table} WHERE {text} LIKE '%refund%'",
}
_LLM = {
    **_COMMON,
    "Q11 experiment and experiment": (
        "SELECT count(*) AS n, avg(b.s - a.s) AS d FROM "
        "(SELECT {case} AS c, {score} AS s FROM {table} WHERE experiment = 'a') AS a JOIN "
        "(SELECT {case} AS c, {score} AS s FROM {table} WHERE experiment = 'b') AS b ON a.c = b.c"
    ),
    "Q12 messages by role": "SELECT role, count(*) AS n FROM {messages} GROUP BY 1",
}
_BLUESKY = {
    "B1 events": "SELECT {event} AS k, count(*) AS n FROM {table} GROUP BY 1",
    "B2 events and users": (
        "SELECT {event} AS k, count(*) AS n, count(DISTINCT {did}) AS u FROM {table} "
        "WHERE {kind} = 'commit' AND {operation} = 'create' GROUP BY 1"
    ),
    "B3 events by hour": (
        "SELECT {event} AS k, {hour} AS h, count(*) AS n FROM {table} WHERE {kind} = 'commit' "
        "AND {operation} = 'create' AND {event} IN "
        "('app.bsky.feed.post', 'app.bsky.feed.repost', 'app.bsky.feed.like') GROUP BY 1, 2"
    ),
    "B4 first to post": (
        "SELECT {did} AS k, min({time}) AS t FROM {table} WHERE {kind} = 'commit' "
        "AND {operation} = 'create' AND {event} = 'app.bsky.feed.post' "
        "GROUP BY 1 ORDER BY t, k LIMIT 3"
    ),
    "B5 longest activity": (
        "SELECT {did} AS k, max({time}) - min({time}) AS t FROM {table} WHERE {kind} = 'commit' "
        "AND {operation} = 'create' AND {event} = 'app.bsky.feed.post' "
        "GROUP BY 1 ORDER BY t DESC, k LIMIT 3"
    ),
}
_APM_PATHS = {
    "group": Path("attributes", ("http.route",), "VARCHAR"),
    "user": Path("attributes", ("enduser.id",), "VARCHAR"),
    "number": Path("attributes", ("http.response.body.size",), "BIGINT"),
    "rare": Path("attributes", ("debug.retries",), "BIGINT"),
    "mixed": Path("attributes", ("code",), "BIGINT"),
    "nested": Path("attributes", ("cart", "items"), "BIGINT"),
    "score": Path("attributes", ("sampling.weight",), "DOUBLE"),
    "text": Path("attributes", ("url.path",), "VARCHAR"),
}
_LLM_PATHS = {
    **_APM_PATHS,
    "group": Path("attributes", ("gen_ai.request.model",), "VARCHAR"),
    "number": Path("attributes", ("gen_ai.usage.input_tokens",), "BIGINT"),
    "score": Path("scores", ("quality",), "DOUBLE"),
    "text": Path("output", (), "VARCHAR"),
    "case": Path("metadata", ("case",), "VARCHAR"),
    "messages": Path("input", ("messages",), "STRUCT(role VARCHAR, content VARCHAR)[]"),
}
_EVENT_PATHS = {
    "event": Path("body", ("commit", "collection"), "VARCHAR"),
    "operation": Path("body", ("commit", "operation"), "VARCHAR"),
    "kind": Path("body", ("kind",), "VARCHAR"),
    "did": Path("body", ("did",), "VARCHAR"),
    "time": Path("body", ("time_us",), "BIGINT"),
}

_CHATS = Workload(
    "spans", _SPAN, ("attributes", "input", "output", "scores", "metadata"), _LLM_PATHS, _LLM
)

WORKLOADS = {
    "apm": Workload("spans", _SPAN, ("attributes",), _APM_PATHS, _COMMON),
    "evolving": Workload("spans", _SPAN, ("attributes",), _APM_PATHS, _COMMON, many_paths=True),
    "llm": _CHATS,
    "llm-large": _CHATS,
    "events": Workload("logs", {"time_ns": "BIGINT"}, ("body",), _EVENT_PATHS, _BLUESKY),
}
