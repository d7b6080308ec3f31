"""The page of the sandbox says what the sandbox takes, and its bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from docs import sandbox_features
from tracestore.sandbox import bounds
from tracestore.sandbox.sandbox import Sandbox
from tracestore.sandbox.source_code import IMPORTS

TEXT = sandbox_features.PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    opened = Sandbox(lanes=1)
    yield opened
    opened.close()


def test_the_table_is_what_is_measured(sandbox: Sandbox) -> None:
    table = TEXT.partition(sandbox_features.BEGIN)[2].partition(sandbox_features.END)[0]
    assert table == sandbox_features.table(sandbox_features.taken(sandbox))


@pytest.mark.parametrize(
    ("part", "name"),
    [(part, name) for part, each in sandbox_features.FEATURES.items() for name in each],
)
def test_each_part_is_one_of_python(part: str, name: str) -> None:
    scope: dict[str, object] = {}
    exec(sandbox_features.source(sandbox_features.FEATURES[part][name]), scope)
    tried = scope["tried"]
    assert callable(tried)
    assert tried() is True


def test_every_module_that_may_be_imported_is_there(sandbox: Sandbox) -> None:
    imports = "".join(f"import {name}\n" for name in sorted(IMPORTS))
    assert sandbox.check(imports).failure is None


def test_the_bounds_are_said() -> None:
    told = re.sub(r"\s+", " ", TEXT)
    chosen = bounds.Bounds()
    assert (
        f"| time | {chosen.time_s:g} seconds; a test run may ask for up to {bounds.MAX_TIME_S:g} |"
        in told
    )
    assert f"| memory | {chosen.memory_bytes >> 20} MiB |" in told
    assert f"| result as JSON, and printed text | {chosen.output_bytes >> 10} KiB each |" in told
    assert f"| calls inside of calls | {bounds.MAX_RECURSION} |" in told
    assert f"| code | {bounds.MAX_CODE_BYTES >> 10} KiB |" in told


def test_the_example_scores(sandbox: Sandbox) -> None:
    code = TEXT.partition("```python\n")[2].partition("```")[0]
    arguments = {"input": 1, "output": "It is in Bonn.", "expected": "bonn"}
    assert sandbox.call(code, "names_the_city", arguments).value == 1.0
