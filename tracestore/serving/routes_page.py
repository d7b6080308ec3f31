"""The page at `/docs`: every route, written from the OpenAPI document; no script and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

STYLE_PATH = "/docs/style.css"

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h2 { margin-top: 2.5rem; } article { border-top: 1px solid #8886; padding: .5rem 0; }
code { font: 13px/1.4 ui-monospace, monospace; } b { display: inline-block; min-width: 4.5rem; }
td, th { text-align: left; vertical-align: top; padding: 0 1rem .2rem 0; }
:root { color-scheme: light dark; }
"""


def routes_page(document: Mapping[str, Any]) -> str:
    """Returns the page of an OpenAPI document."""
    info = document["info"]
    parts = [
        "<!doctype html><html lang='en'><meta charset='utf-8'>",
        f"<title>{escape(info['title'])} API</title><link rel='stylesheet' href='{STYLE_PATH}'>",
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>",
        f"<p>{escape(info.get('description', ''))} ",
        "The same for programs: <a href='/openapi.json'>openapi.json</a>.</p>",
        *_groups(document["paths"]),
        "</html>",
    ]
    return "\n".join(parts)


def _groups(paths: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Yields the routes under the headings of their tags."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            tag = next(iter(operation.get("tags", [])), "other")
            by_tag.setdefault(tag, []).append(_route(method, path, operation))
    for tag, routes in by_tag.items():
        yield f"<h2>{escape(tag)}</h2>"
        yield from routes


def _route(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{escape(given['name'])}</code><td>{given['in']}"
        f"<td>{escape(given.get('description') or given.get('schema', {}).get('description', ''))}"
        for given in operation.get("parameters", [])
    ]
    kinds = ", ".join(operation.get("requestBody", {}).get("content", {}))
    if kinds:
        rows.append(f"<tr><td>body<td><td><code>{escape(kinds)}</code>")
    table = f"<table>{''.join(rows)}</table>" if rows else ""
    return (
        f"<article><b>{escape(method.upper())}</b> <code>{escape(path)}</code>"
        f"<p>{escape(operation.get('description', ''))}</p>{table}</article>"
    )
