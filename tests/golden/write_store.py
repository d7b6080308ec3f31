"""Writes the golden store of the newest format version, where there is none: `python -m golden.write_store`.

A store once committed is never written again: later versions must read it as it is.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from data.stores import DAY_NS, EVERY_ITEM, log, span
from store.kit import FakeClock, open_store, otlp_traces, read_rows

VERSION = "v3"
HERE = Path(__file__).resolve().parent

VALUES: list[Any] = [
    1, 2.5, True, None, "text", "", [], {}, [1, 2], [1.5], [True], ["a", "b"], [1, "a"], [{"a": 1}, None],
    {"a.b": {"": 1}}, 2**63, -(2**63), 1e300, "ä\u0000\u2028", {"deep": {"er": {"est": "x"}}},
]  # fmt: skip


def rows() -> list[dict[str, Any]]:
    """Returns spans that hold every leaf type, densely and rarely, over two days."""
    made = []
    for number in range(200):
        row = span(number, start_ns=span(number)["start_ns"] + (number % 2) * DAY_NS)
        row["input"] = VALUES[number % len(VALUES)]
        row["metadata"] = {f"rare{number}": VALUES[number % 7]}
        row["tags"] = [f"t{number % 3}"]
        row["output"] = [{"role": f"r{number % 3}", "n": number}, None, {"a.b": "x", "role": "é"}]
        made.append(row)
    return made


def write(folder: Path) -> None:
    """Writes a store with segments, a merged one, a log with frames, and its rows as JSON beside it."""
    data = folder / "store"
    with open_store(data, clock=FakeClock(), min_cluster_rows=1, **EVERY_ITEM) as store:
        store.set_cluster_by("golden/project", ["name", "attributes.model"])
        store.insert("spans", rows()[:80], project="golden/project")
        store.flush()
        store.insert("spans", rows()[80:160], project="golden/project")
        store.flush()
        store.compact(full=True)
        store.insert("spans", rows()[160:], project="golden/project")
        store.insert("logs", [log(1, body={"a": 1}), log(2, severity_text="INFO")])
        store.flush()
        store.set_retention("other", 30)
        store.insert("spans", [span(500, output=[{"role": "user"}])], project="other")
        store.ingest_otlp(otlp_traces([span(501)]), "traces", experiment="e")
        found = {table: read_rows(store, table) for table in ("spans", "logs")}
    shutil.rmtree(data / "readers", ignore_errors=True)
    (data / "LOCK").unlink()
    text = json.dumps(found, indent=1, sort_keys=True, default=str, ensure_ascii=True)
    (folder / "rows.json").write_text(text + "\n")


if __name__ == "__main__":
    target = HERE / VERSION
    if target.exists():
        sys.exit(f"{target} is there and stays as it is")
    target.mkdir()
    write(target)
