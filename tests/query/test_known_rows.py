"""Rows that a words sidecar knows to match are counted and read without their texts, and are the same rows."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import EVERY_WORD, ndjson, span
from tracestore import Store
from tracestore_query import Query

WORDS = ("timeout", "needle", "12")
CONDITIONS = (
    "match(attributes.message, '{}')",
    "match(attributes.note, '{}')",
    "match(name, '{}')",
    "search('{}')",
    "search('{} other')",
    "match(attributes.message, '{} other')",
    "match(attributes.message, '{}') AND match(attributes.note, 'retry')",
    "match(attributes.message, '{}') AND attributes.message LIKE '% other %'",
    "match(attributes.message, '{}') AND service = 's1'",
)
SELECTS = (
    "SELECT count(*) AS n FROM spans WHERE {}",
    "SELECT service, count(*) AS n, max(start_ns) AS t FROM spans WHERE {} GROUP BY 1 ORDER BY 1",
    "SELECT span_id, attributes.message AS m FROM spans WHERE {} ORDER BY start_ns",
    "SELECT span_id, attributes FROM spans WHERE {} ORDER BY start_ns DESC LIMIT 3",
)


def make(draw: random.Random, number: int) -> dict[str, Any]:
    words = [f"w{draw.randrange(40)}" for _ in range(5)]
    for word, share in (("timeout", 0.06), ("retry", 0.04), ("other", 0.1), ("needle", 0.005)):
        if draw.random() < share:
            words.insert(draw.randrange(5), word)
    attributes: dict[str, Any] = {"message": " ".join(words), "count": draw.randrange(20)}
    if draw.random() < 0.1:
        # The same words in another column, and under a key of a spelling of its own.
        attributes["note"] = draw.choice(["retry", "timeout later", "true 12"])
    if draw.random() < 0.05:
        attributes["flag"] = True
    name = f"op {draw.choice(words)}" if draw.random() < 0.01 else "op"
    return span(number, service=f"s{number % 3}", name=name, attributes=attributes)


def written(folder: Path, **more: Any) -> Store:
    draw = random.Random(5)
    store = tracestore.open(folder, background=False, durability="async", **EVERY_WORD, **more)
    for first in range(0, 900, 300):
        store.insert("spans", ndjson([make(draw, number) for number in range(first, first + 300)]))
        store.flush()
    return store


@pytest.mark.parametrize(
    "state", ["segments", "patched", "replaced", "in memory", "with bytes", "clustered"]
)
def test_the_same_rows_are_found(tmp_path: Path, state: str) -> None:
    with written(tmp_path, min_cluster_rows=1) as store:
        plain = Query(store, shortcuts=False)
        if state == "patched":
            ids = [{name: span(n)[name] for name in ("trace_id", "span_id")} for n in range(3)]
            store.patch([{**each, "metadata": {"why": "timeout other"}} for each in ids])
        elif state == "replaced":
            store.insert("spans", ndjson([span(n, name="timeout other") for n in range(5)]))
            store.flush()
        elif state == "in memory":
            store.insert("spans", ndjson([span(n, name="timeout") for n in range(1000, 1003)]))
        elif state == "with bytes":
            store.insert(
                "spans", ndjson([span(n, input=["timeout", 12]) for n in range(1000, 1003)])
            )
            store.flush()
        elif state == "clustered":
            store.set_cluster_by("default", ["service", "attributes.message"])
            store.compact(full=True)
        for condition in CONDITIONS:
            for word in WORDS:
                text = condition.format(word)
                for select in SELECTS if word == "timeout" else SELECTS[:1]:
                    sql = select.format(text)
                    assert store.sql(sql).rows() == plain.sql(sql).rows(), sql
        plain.close()


def test_known_rows_read_no_text(tmp_path: Path) -> None:
    with written(tmp_path) as store:

        def told(condition: str) -> str:
            rows = store.sql(f"EXPLAIN SELECT count(*) FROM spans WHERE {condition}").rows()
            return str(next(row["detail"] for row in rows if row["step"] == "words"))

        assert "segments are known to match" in told("search('needle')")
        assert "segments are known to match" in told("match(attributes.message, 'needle')")
        # It stands in other columns, too.
        assert "known to match" not in told("match(attributes.message, 'timeout')")
        assert "known to match" not in told("attributes.message LIKE '% w7 %'")
        for path in (tmp_path / "segments").rglob("*.parquet"):
            path.write_bytes(b"")
        assert (
            store.sql("SELECT count(*) AS n FROM spans WHERE search('needle')").rows()[0]["n"] > 0
        )
