"""The cases of a run that fell most against its base: what was asked, and what came out before and after."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

SHOWN: Final = 5
"""Cases that a summary shows; the command beneath it lists more."""

_SAME: Final = 1e-9
"""A fall below this is rounding, as where experiments are compared."""


@dataclass(frozen=True, slots=True)
class Regression:
    """A case that got worse.

    Attributes:
        falls: (score, before, after) of the scores that fell, the greatest fall first.
        input: of the case.
        before, after: what came out in the base and in the run.
        trace_id: of its first trial in the run.
        link: where to look at it: an address of a server's page, or a command.
    """

    falls: tuple[tuple[str, float, float], ...]
    input: Any
    before: Any
    after: Any
    trace_id: str
    link: str


def worst(target: Any, project: str, compared: Mapping[str, Any] | None) -> list[Regression]:
    """Returns the cases that fell most in a comparison of (base, run)."""
    if compared is None:
        return []
    found = []
    for regression in _fallen(target, project, compared):
        found.append(regression)
        if len(found) == SHOWN:
            break
    return found


def _fallen(target: Any, project: str, compared: Mapping[str, Any]) -> Iterator[Regression]:
    base_name, run_name = (experiment["name"] for experiment in compared["experiments"])
    for case in compared["cases"]:
        base, run = (case["experiments"].get(name) for name in (base_name, run_name))
        if base is None or run is None:
            continue
        falls = [
            (score, base["scores"][score], run["scores"][score])
            for score, change in sorted((run.get("difference") or {}).items(), key=lambda it: it[1])
            if change < -_SAME
        ]
        if falls:
            yield Regression(
                tuple(falls),
                case.get("input"),
                base.get("output"),
                run.get("output"),
                run["trace_id"],
                link(target, project, run["trace_id"]),
            )


def link(target: Any, project: str, trace_id: str) -> str:
    """Returns where a trace is to be seen: a page of the server, or a command for a folder."""
    url = getattr(target, "url", None)
    if url is not None:
        return f"{str(url).rstrip('/')}/p/{quote(project, safe='')}/trace/{trace_id}"
    return f"tracestore trace {trace_id} {where(target)}"


def command(target: Any, project: str, base: str, name: str) -> str:
    """Returns the command that lists every case that got worse."""
    names = f"{shlex.quote(base)} {shlex.quote(name)}"
    return (
        f"tracestore compare {names} --project {shlex.quote(project)} --cases 100 {where(target)}"
    )


def where(target: Any) -> str:
    """Returns the option by which commands find the store."""
    url = getattr(target, "url", None)
    if url is not None:
        return f"--url {shlex.quote(str(url))}"
    return f"--data {shlex.quote(os.fspath(target.folder))}"
