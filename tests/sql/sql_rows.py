"""The rows that the SQL files ask about: made here, the same every time, with every kind of conflict."""

from __future__ import annotations

from typing import Any

START_NS = 1_790_000_000_000_000_000
ROWS = 480

_MODELS = ("gpt-large", "gpt-small", "claude", "open-8b", "")
_STATUS: tuple[Any, ...] = (200, 404, "err", 200, None, 500, "200", 3.5, True, 200, -1)
_TAGS: tuple[Any, ...] = (
    ["a", "b"],
    [],
    ["b"],
    [1, 2, 3],
    ["a", 1, None],
    None,
    "a",
    [1.5, 2],
    [True],
)
_BIG: tuple[Any, ...] = (2**53 + 1, 2**63, 2**70, -1, -(2**63), 0, 1e300)
_OBJECTS: tuple[Any, ...] = (
    {"a": 1, "b": {"c": "x"}},
    5,
    "x",
    {},
    {"a": "one", "b": {"c": None}},
    None,
)
_WORDS = ("the weather in Paris", "Capital of France?", "paris", "naïve Übung", "parisian", "")


def spans() -> list[dict[str, Any]]:
    """Returns the spans, in the order in which they are written."""
    return [_span(i) for i in range(ROWS)]


def logs() -> list[dict[str, Any]]:
    """Returns the log records."""
    return [_log(i) for i in range(120)]


def _span(i: int) -> dict[str, Any]:
    root = i % 4 == 0
    row: dict[str, Any] = {
        "project": "shop" if i % 5 else "lab",
        "trace_id": f"{i // 4 + 1:032x}",
        "span_id": f"{i + 1:016x}",
        "parent_span_id": None if root else f"{i // 4 * 4 + 1:016x}",
        "name": f"op-{i % 7}",
        "kind": ("INTERNAL", "CLIENT", "SERVER")[i % 3],
        "type": ("llm", "tool", None)[i % 3],
        "service": ("api", "worker")[i % 2],
        "start_ns": START_NS + i * 250_000_000 + i % 3,
        "duration_ns": 1_000_000 * (i * 37 % 101),
        "status_code": "ERROR" if i % 11 == 0 else "OK",
        "status_message": "boom" if i % 11 == 0 else None,
        "attributes": _attributes(i),
        "metrics": {"prompt_tokens": i % 50, "completion_tokens": i % 7, "tokens": i % 50 + i % 7},
    }
    if i % 2 == 0:
        row["input"] = {"question": _WORDS[i % 6], "messages": _messages(i)}
        row["output"] = _WORDS[(i + 1) % 6] if i % 4 else {"answer": _WORDS[(i + 2) % 6], "n": i}
    if i % 3 == 0:
        row["metadata"] = {
            "user": {"id": f"u{i % 9}", "plan": ("free", "pro")[i % 2]},
            "run": i // 30,
        }
    if i % 6 == 0:
        row["tags"] = ["prod", f"t{i % 4}"]
    if i < 160:
        # Two experiments over the same forty inputs; one case of the second is missing.
        row["experiment"] = "base" if i < 80 else "tuned"
        row["project"] = "lab"
        if root:
            row["input"] = {"question": f"case {i % 80}"}
            row["scores"] = {"accuracy": (i % 80) / 80 + (0.25 if i >= 80 else 0), "a.b": i % 2}
        if i == 156:
            row["input"] = {"question": "case of its own"}
    return {name: value for name, value in row.items() if value is not None}


def _attributes(i: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "tokens": i * 3 % 97,
        "ratio": i / 8,
        "temperature": (1, 0.5, 0, 1.25)[i % 4],
        "status": _STATUS[i % 11],
        "flag": (True, False, "true", None)[i % 4],
        "list": _TAGS[i % 9],
        "thing": _OBJECTS[i % 6],
        "big": _BIG[i % 7],
        "word": _WORDS[i % 6],
        f"unique_{i}": i,
        "when": "2026-01-02T03:04:05Z" if i % 2 else "soon",
    }
    if i % 7:
        found["model"] = _MODELS[i % 5]
    if i % 2 == 0:
        found["gen_ai.request.model"] = _MODELS[i % 5]
    elif i % 3 == 0:
        found["gen_ai"] = {"request": {"model": _MODELS[i % 4], "top": {"k": i % 10}}}
    if i % 10 == 0:
        found["odd keys"] = {
            "ke.y": i,
            "": "empty",
            'quo"te': 1.5,
            "a:b": [i],
            "[0]": "zero",
            "a/b~c": i,
        }
    if i % 60 == 7:
        found["rare"] = {
            "number": i,
            "mixed": (i, str(i), {"deep": i})[i // 60 % 3],
            "list": [i, i + 1],
        }
    if i >= 440:
        found["late"] = i if i % 2 else f"late {i}"
    if i == 333:
        found["tokens"] = "many"
    return found


def _messages(i: int) -> list[Any]:
    history: list[Any] = [
        {"role": "system", "content": "be brief", "at": {"turn.number": 0}},
        {"role": "user", "content": _WORDS[i % 6], "score": i},
    ]
    if i % 4 == 0:
        history.append({"role": "assistant", "content": [{"text": f"t{i}"}], "score": f"s{i}"})
    return history


def _log(i: int) -> dict[str, Any]:
    bodies: tuple[Any, ...] = (f"line {i}", {"event": "login", "user": i}, i, ["x", i], None)
    row: dict[str, Any] = {
        "project": "shop" if i % 3 else "lab",
        "time_ns": START_NS + i * 1_000_000_000,
        "severity_number": 9 + i % 3 * 4,
        "severity_text": ("INFO", "WARN", "ERROR")[i % 3],
        "service": ("api", "worker")[i % 2],
        "trace_id": f"{i + 1:032x}",
        "body": bodies[i % 5],
        "attributes": {"http.status": (200, 500, "timeout")[i % 3], "n": i},
    }
    return {name: value for name, value in row.items() if value is not None}
