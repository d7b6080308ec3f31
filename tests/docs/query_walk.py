"""One SQL text on its way to its last batch: each value in between, as docs/design/query.md prints it.

`PYTHONPATH=tests python -P -m docs.query_walk` writes the values into the page anew.
"""

from __future__ import annotations

import dataclasses
import re
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sqlglot import exp

import tracestore
from tracestore_query.engine import Engine
from tracestore_query.execute import runner
from tracestore_query.execute.execution import Execution
from tracestore_query.execute.explain import shown_sql
from tracestore_query.execute.streaming import Caps
from tracestore_query.language.constant_folding import Constants
from tracestore_query.language.dialect import generate
from tracestore_query.language.parameters import note_values
from tracestore_query.language.statement import read_statement
from tracestore_query.plan import pruning
from tracestore_query.planner import Planner, Request

PAGE = Path(__file__).resolve().parents[2] / "docs" / "design" / "query.md"
BLOCK = re.compile(r"```text (\w+)\n(.*?)```", re.DOTALL)

SQL = """SELECT name, attributes.model AS model, attributes
FROM spans
WHERE start_time >= $since AND attributes.tokens > 385
ORDER BY start_time"""
PARAMETERS = {"since": "2026-09-21T10:00:00Z"}
NINE_NS = 1_789_981_200_000_000_000
"""Nine o'clock of that day, in UTC."""

_NONCE = re.compile(r"(__[a-z]+)_[0-9a-f]{16}")
_FOLDER = re.compile(r"(?:\bspans)?/[^\s']*/(?=[0-9A-Z]{26})")
_FILE = re.compile(r"\b[0-9A-Z]{26}\b")


def walk(folder: Path) -> dict[str, str]:
    """Returns each value by the name of its block."""
    with tracestore.open(folder, background=False) as store:
        for hour in range(2):
            store.insert("spans", [call(hour, number) for number in range(1, 41)])
            store.flush()
        store.insert("spans", [call(2, 40)])
        engine = Engine([str(folder)], "1GB", 1)
        planner = Planner(store, engine)
        execution = Execution(engine, None)
        try:
            return normal(dict(_values(engine, planner, execution)))
        finally:
            execution.close()
            planner.close()
            engine.close()


def call(hour: int, number: int) -> dict[str, Any]:
    """Returns one span of the store that is asked."""
    return {
        "trace_id": f"{hour * 100 + number:032x}",
        "span_id": f"{hour * 100 + number:016x}",
        "name": f"call-{hour}-{number}",
        "start_ns": NINE_NS + (hour * 3600 + number) * 10**9,
        "attributes": {"model": f"m-{number % 3}", "tokens": number * 10},
    }


def _values(engine: Engine, planner: Planner, execution: Execution) -> Iterator[tuple[str, str]]:
    statement = read_statement(SQL, engine.functions)
    yield "text", SQL
    yield "statement", f"{statement.kind}\n{generate(statement.query)}"
    tree = statement.query.copy()
    values = note_values(tree, PARAMETERS)
    yield "parameters", f"{values}\n{generate(tree)}"
    pruning.note_bounds(tree, Constants(engine.time_us).value)
    [table] = tree.find_all(exp.Table)
    yield "bounds", fields(table.meta[pruning.META])
    planned = planner.plan(Request(SQL, PARAMETERS), execution)
    [scan_plan] = planned.plan.scans.values()
    yield "tree", generate(planned.plan.query.tree)
    yield "scan", fields(scan_plan.scan)
    yield "rebuilt", "\n".join(map(str, planned.plan.query.rebuilt))
    yield "segments", fields(dataclasses.replace(scan_plan, scan=None, memtable=()))  # type: ignore[arg-type]
    yield "memtable", f"{[chunk.num_rows for chunk in scan_plan.memtable]} rows"
    yield "sql", shown_sql(planned.plan, planned.sql)
    yield "tables", "\n".join(f"{name}: {t.num_rows} row" for name, t in planned.tables.items())
    engine_rows = execution.bind(planned.sql, planned.values).relation.to_arrow_table().to_pylist()
    yield "engine", "\n".join(str(row) for row in engine_rows)
    result = runner.run(planned, execution, runner.stats_of(planned.plan, 0.0), Caps())
    yield "types", "\n".join(map(str, zip(result.schema.names, result.types, strict=True)))
    yield "answer", "\n".join(str(row) for row in result.rows())
    yield "stats", fields(result.stats)


def fields(value: Any) -> str:
    """Returns the fields of a dataclass that say something, one a line."""
    return "\n".join(
        f"{field.name}: {_plain(getattr(value, field.name))}"
        for field in dataclasses.fields(value)
        if getattr(value, field.name) not in (None, (), {}, False, frozenset(), 0.0)
    )


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def wrapped(text: str) -> str:
    """Returns a text of SQL in lines that a page can show."""
    return textwrap.fill(text, 112, break_long_words=False, break_on_hyphens=False)


def normal(values: dict[str, str]) -> dict[str, str]:
    """Returns values without what is another in each run: random numbers, names of files and folders."""
    files: dict[str, str] = {}
    shown = {}
    for name, value in values.items():
        text = _FOLDER.sub("", _NONCE.sub(r"\1", value))
        text = _FILE.sub(lambda m: files.setdefault(m[0], f"segment{len(files) + 1}"), text)
        shown[name] = "\n".join(map(wrapped, text.split("\n")))
    return shown


def blocks(page: str) -> dict[str, str]:
    """Returns the blocks of a page by their names."""
    return {name: text.rstrip("\n") for name, text in BLOCK.findall(page)}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        known = walk(Path(folder) / "store")
    PAGE.write_text(BLOCK.sub(lambda m: f"```text {m[1]}\n{known[m[1]]}\n```", PAGE.read_text()))
