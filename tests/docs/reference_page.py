"""Writes docs/guide/reference.md from signatures and docstrings: `PYTHONPATH=tests python -P -m docs.reference_page`"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import tracestore
from tracestore import scorers
from tracestore.client.alerts import AlertClient
from tracestore.client.documents import DocumentClient
from tracestore.client.evals import DatasetClient, ExperimentClient
from tracestore.client.explore import ExploreClient
from tracestore.client.keys import KeyClient
from tracestore.tracing.exporting import Tracing

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guide" / "reference.md"

HEAD = """# Reference

The verbs of Python, made from their signatures and docstrings. [client.md](client.md) shows the client at work,
[evals.md](evals.md) datasets and evals, [instrument.md](instrument.md) how functions are reported.
"""

INNER = ("arguments_of", "name_of", "named")
"""Functions of the module of scorers that evals call themselves."""

PARTS: dict[str, list[tuple[str, Any]]] = {
    "A server": [
        ("tracestore.Client", tracestore.Client),
        ("client.datasets", DatasetClient),
        ("client.experiments", ExperimentClient),
        ("client.explore", ExploreClient),
        ("client.documents", DocumentClient),
        ("client.keys", KeyClient),
        ("client.alerts", AlertClient),
        ("tracestore.AsyncClient", tracestore.AsyncClient),
    ],
    "A folder": [("tracestore.open", tracestore.open), ("tracestore.Store", tracestore.Store)],
    "Answers": [("tracestore.Answer", tracestore.Answer)],
    "Reported functions": [
        ("tracestore.init", tracestore.init),
        ("tracestore.traced", tracestore.traced),
        ("Tracing", Tracing),
    ],
    "Evals": [
        ("tracestore.Eval", tracestore.Eval),
        ("tracestore.dataset", tracestore.dataset),
        ("tracestore.EvalResult", tracestore.EvalResult),
    ],
    "Scorers": [
        (f"tracestore.scorers.{name}", scorer)
        for name, scorer in inspect.getmembers(scorers, inspect.isfunction)
        if scorer.__module__ == scorers.__name__ and not name.startswith(("_", *INNER))
    ],
}
"""Headings, and below each what it tells of: the name by which it is reached, and the thing."""

MADE_ELSEWHERE = {
    "client.",
    "Tracing",
    "tracestore.Answer",
    "tracestore.EvalResult",
    "tracestore.Store",
}
"""The starts of names of classes whose objects are given, not made: their arguments are nobody's business."""

_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields):$")
_ITEM = re.compile(r"^(\w[\w.]*): (.*)$")


class Bare:
    """An annotation that is printed as it was written, without quotes.

    Args:
        text: the annotation.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def page() -> str:
    """Returns the page as the code makes it."""
    lines = [HEAD]
    for heading, things in PARTS.items():
        lines.append(f"\n## {heading}\n")
        for name, thing in things:
            lines += told(name, thing)
    return "\n".join(lines).rstrip() + "\n"


def told(name: str, thing: Any) -> Iterator[str]:
    """Yields what the page says of a function, or of a class and its verbs."""
    yield f"### {name}\n"
    if not isinstance(thing, type):
        yield from called(name, thing)
        return
    if name.startswith(tuple(MADE_ELSEWHERE)):
        yield from documented(thing)
    else:
        yield from called(name, thing)
    for verb, member in public(thing):
        if isinstance(member, property | functools.cached_property):
            yield f"#### {name}.{verb}\n"
            yield from documented(member)
        else:
            yield f"#### {name}.{verb}()\n"
            yield from called(verb, member)


def public(kind: type) -> Iterator[tuple[str, Any]]:
    """Yields the verbs and properties of a class, its own first, then those of its parents."""
    seen: set[str] = set()
    for owner in kind.__mro__[:-1]:
        for name, member in vars(owner).items():
            wanted = isinstance(member, property | functools.cached_property) or inspect.isroutine(
                member
            )
            if wanted and not name.startswith("_") and name not in seen:
                seen.add(name)
                yield name, getattr(kind, name) if inspect.isroutine(member) else member


def called(name: str, thing: Callable[..., Any]) -> Iterator[str]:
    """Yields how something is called, and its docstring."""
    signature = inspect.signature(thing)
    wanted = [
        each.replace(annotation=Bare(each.annotation))
        for each in signature.parameters.values()
        if each.name != "self"
    ]
    result = Bare(signature.return_annotation)
    text = signature.replace(parameters=wanted, return_annotation=result)
    yield f"```text\n{name.rpartition('.')[2]}{text}\n```\n"
    yield from documented(thing)


def documented(thing: Any) -> Iterator[str]:
    """Yields a docstring as Markdown: what it says of arguments is a list."""
    within = False
    lines: list[str] = []
    for line in (inspect.getdoc(thing) or "").splitlines():
        section, item = _SECTION.match(line), _ITEM.match(line.strip())
        if section:
            within = True
            lines.append(f"*{section[1]}*\n")
        elif within and item and line.startswith("    ") and not line.startswith("     "):
            lines.append(f"- `{item[1]}`: {item[2]}")
        elif within and line.strip():
            lines.append(f"  {line.strip()}")
        else:
            within = within and not line.strip()
            lines.append(line)
    yield "\n".join(lines) + "\n"


def without_words() -> Iterator[str]:
    """Yields what has no docstring."""
    for things in PARTS.values():
        for name, thing in things:
            members = public(thing) if isinstance(thing, type) else ()
            for full, each in [(name, thing), *((f"{name}.{verb}", m) for verb, m in members)]:
                if not inspect.getdoc(each):
                    yield full


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
