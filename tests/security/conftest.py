"""What the tests of safety share: a store of two projects, of which a reader may see one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import tracestore
from tracestore import Store

START_NS = 1_790_000_000_000_000_000


def spans_of(project: str, count: int = 40) -> list[dict[str, Any]]:
    """Returns rows whose every text names their project."""
    mark = "a" if project == "A" else "b"
    return [
        {
            "trace_id": f"{i:031x}{mark}",
            "span_id": f"{i:015x}{mark}",
            "name": f"{project} span {i}",
            "start_ns": START_NS + i,
            "experiment": f"run of {project}" if i % 2 else None,
            "attributes": {f"only_{project}": f"secret-of-{project}-{i}", "both": i},
            "scores": {"accuracy": i / 100},
            "input": {"q": f"question {project} {i}"},
        }
        for i in range(1, count + 1)
    ]


@pytest.fixture(scope="session")
def two_projects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Gives a store of projects A and B, in segments and in memory; nobody writes to it."""
    opened = tracestore.open(tmp_path_factory.mktemp("security") / "store", background=False)
    for project in "AB":
        opened.insert("spans", spans_of(project), project=project)
    opened.flush()
    for project in "AB":
        opened.insert("spans", [{"name": f"{project} in memory"}], project=project)
    yield opened
    opened.close()
