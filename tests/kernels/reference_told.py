"""What one attribute says, in plain Python: the twin of `span_told`."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from kernels import reference
from tracestore.variant import conventions as table

SPACE: Final = " \t\n\r"
_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MOST_MEMBER_LEVELS = 2
_COUNTS = (
    "prompt_tokens",
    "completion_tokens",
    "tokens",
    "prompt_cached_tokens",
    "prompt_cache_creation_tokens",
    "completion_reasoning_tokens",
)


@dataclass(frozen=True, slots=True)
class Time:
    """A time that says how long after the span's start something was."""

    ns: int


def settled(usage: dict[str, Any]) -> dict[str, Any]:
    """Returns counts with parts that were told beside them added, and their sum where none was told."""
    result = dict(usage)

    def part(name: str) -> int | None:
        value = usage.get(name)
        return value if isinstance(value, int) and value < 2**60 else None

    prompt, completion, total, *cache, reasoning = (part(name) for name in _COUNTS)
    cached = sum(each or 0 for each in cache)
    if prompt is None and completion is None:
        return result
    if "tokens" in usage:
        if prompt is None or completion is None or total is None:
            return result
        rest = total - prompt - completion
        if rest <= 0:
            return result
        if rest == cached:
            result["prompt_tokens"] = prompt + rest
        elif reasoning is not None and rest == cached + reasoning:
            result["prompt_tokens"] = prompt + cached
            result["completion_tokens"] = completion + reasoning
        elif reasoning is None or rest == reasoning:
            result["completion_tokens"] = completion + rest
        return result
    if prompt is not None and prompt < cached:
        prompt += cached
        result["prompt_tokens"] = prompt
    result["tokens"] = (prompt or 0) + (completion or 0)
    return result


def usable(group: str, slot: str, key: str, value: Any) -> tuple[Any] | None:
    """Returns what an attribute tells a slot, None where it tells nothing that can be used."""
    if group in {"usage", "aggregated", "metrics"} or (group, slot) == (
        "evaluation",
        table.EVALUATION[1],
    ):
        found = number(key, value, is_count=slot.endswith("tokens"))
        return None if found is None else (found,)
    if group == "parsed":
        return (value,) if _is_parsable(slot, key, value) else None
    if group == "evaluation":
        return (value,) if isinstance(value, str) and value else None
    if not isinstance(value, bool | int | float | str):
        return None
    if isinstance(value, str):
        if key in table.JSON_TEXT:
            value = value.strip(SPACE)
            if value == "null":
                return None
            value = unquoted(value)
        if (group, slot) == ("metadata", "provider"):
            name, _, suffix = value.partition(".")
            if name and suffix in table.PROVIDER_SUFFIXES:
                value = name
            value = "".join(each.lower() if each.isascii() else each for each in value)
        if not value:
            return None
    return (value,)


def number(key: str, value: Any, *, is_count: bool) -> Any:
    if isinstance(value, str):
        text = unquoted(value.strip(SPACE))
        if key in table.TIMES:
            return _time(text)
        if not _JSON_NUMBER.fullmatch(text):
            return None
        whole = re.fullmatch("-?[0-9]+", text) and -(2**63) <= int(text) < 2**63
        value = int(text) if whole and text != "-0" else float(text)
    elif isinstance(value, bool) or not isinstance(value, int | float) or key in table.TIMES:
        return None
    if isinstance(value, int) and key in {*table.MILLISECONDS, *table.WHOLE_MILLISECONDS}:
        return value / 1000.0
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        if key in table.MILLISECONDS:
            return value / 1000.0
        if is_count and 0 <= value < 2**53 and value == int(value):
            value = int(value)
    return None if is_count and value < 0 else value


def _time(text: str) -> Time | None:
    try:
        moment = datetime.datetime.fromisoformat(text) if len(text) > 18 else None
    except ValueError:
        moment = None
    if moment is None:
        return None
    since = moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    return Time((since // datetime.timedelta(microseconds=1)) * 1000)


def _is_parsable(column: str, key: str, value: Any) -> bool:
    is_open = column in {"tags", "error"}
    if value is None:
        return False
    if isinstance(value, list | bytes):
        return is_open and len(value) > 0
    if isinstance(value, dict):
        return len(value) > 0
    if not isinstance(value, str):
        return is_open
    text = value.strip(SPACE)
    if not text or key in table.COMMAS:
        return bool(text)
    if text[0] == "{":
        return text != "{}" and (is_open or parsed(text)[1])
    return is_open and text != "[]" and not (key in table.JSON_TEXT and text == "null")


def unquoted(text: str) -> str:
    value, is_json = parsed(text) if text[:1] == '"' else (None, False)
    return str(value) if is_json and "\\" not in text else text


def flat(value: dict[str, Any], level: int) -> Iterator[tuple[str, Any]]:
    for name, member in value.items():
        if isinstance(member, dict) and level < _MOST_MEMBER_LEVELS:
            for path, inner in flat(member, level + 1):
                yield f"{name}.{path}", inner
        else:
            yield name, member


def parsed(text: str) -> tuple[Any, bool]:
    try:
        return reference.parse(text), True
    except reference.BadValueError:
        return None, False


def json_value(value: Any) -> Any:
    """Returns a value as JSON holds it: bytes and numbers that it lacks as text."""
    if isinstance(value, dict):
        return {key: json_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [json_value(item) for item in value]
    if isinstance(value, bytes):
        return reference.base64_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return reference.non_finite(value)
    return value
