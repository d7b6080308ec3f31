"""What a patch may say, and what a field of a span is after it. Specification: docs/guide/feedback.md.

A change is a JSON object as users send it: fields of the span, and options that say how they are merged.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from tracestore.errors import PatchError

OBJECTS: Final = ("scores", "metadata", "metrics")
"""Fields that are objects: they are merged key by key."""

FIELDS: Final = (*OBJECTS, "tags", "expected")
"""Fields that a patch may change."""

SAID: Final = ("input", "output")
"""Fields that log records fill where the span has none itself: key `said` of a change that no user makes."""

MISSING: Final[Any] = object()
"""Stands for a value that is not there; JSON's null is a value."""

MAX_PATCH_BYTES: Final = 1024 * 1024
"""Bytes of one patch as JSON: patches are kept in memory until they are folded in."""

MAX_DEPTH: Final = 64
"""Objects and lists inside each other: what merges values calls itself as often."""

_OPTIONS: Final = ("_is_merge", "_merge_paths", "_array_delete", "_object_delete")
_KNOWN: Final = (*FIELDS, "comment", "author", *_OPTIONS)

Path = tuple[str, ...]


def checked(change: Mapping[str, Any], where: str = "patch") -> str:
    """Returns a change as the JSON text that is kept.

    Raises:
        PatchError: naming the part that cannot be used and what it should be.
    """
    given = {key: value for key, value in change.items() if not _is_unsaid(key, value)}
    unknown = sorted(set(given) - set(_KNOWN))
    if unknown:
        raise PatchError(
            f"cannot patch span: {where} has unknown field {unknown[0]!r}; "
            f"want some of {', '.join(_KNOWN)}"
        )
    if not set(given) - {"author", "_is_merge", "_merge_paths"}:
        raise PatchError(f"cannot patch span: {where} changes nothing; give scores, tags, …")
    _check_fields(given)
    _check_options(given)
    return _text(given)


def fields_of(change: Mapping[str, Any]) -> frozenset[str]:
    """Returns the fields of a span that a checked change touches."""
    fields = {name for name in FIELDS if name in change}
    fields.update(change.get("said") or ())
    if change.get("comment") is not None:
        fields.add("metadata")
    fields |= {str(path[0]) for path in change.get("_object_delete") or ()}
    fields |= {str(removal["path"][0]) for removal in change.get("_array_delete") or ()}
    return frozenset(fields)


def patched(field: str, value: Any, changes: Iterable[tuple[int, Mapping[str, Any]]]) -> Any:
    """Returns a field's value after changes, given with their times in order; MISSING for none."""
    if field in SAID:
        return _filled(field, value, [change for _, change in changes])
    for created_ns, change in changes:
        if field in change:
            value = _changed(field, value, change)
        for path in change.get("_object_delete") or ():
            if path[0] == field:
                value = _without(value, path[1:])
        for entry in change.get("_array_delete") or ():
            if entry["path"][0] == field:
                value = _without_items(value, entry["path"][1:], entry["delete"])
        if field == "metadata" and change.get("comment") is not None:
            value = _commented(value, change, created_ns)
    return value


def _filled(field: str, value: Any, changes: Iterable[Mapping[str, Any]]) -> Any:
    """Returns the messages of log records in the order of their times, where a span has no value itself."""
    said = [entry for change in changes for entry in (change.get("said") or {}).get(field, ())]
    if not said or value not in (MISSING, None):
        return value
    # A client that was not answered sends the same again.
    texts = {(time_ns, json.dumps(message, sort_keys=True)): message for time_ns, message in said}
    return [message for _, message in sorted(texts.items(), key=lambda entry: entry[0][0])]


def _changed(field: str, value: Any, change: Mapping[str, Any]) -> Any:
    new = change[field]
    if new is None:
        return MISSING
    if change.get("_is_merge") is False:
        return _without_nulls(new) if field in OBJECTS else new
    if field in OBJECTS:
        stops = {tuple(path) for path in change.get("_merge_paths") or ()}
        return _merged(value, new, (field,), stops)
    if field == "tags":
        return _united(value, new)
    return new


def _merged(old: Any, new: Any, path: Path, stops: set[Path]) -> Any:
    """Returns an object merged into a value as RFC 7396 does it, replaced whole at paths that stop."""
    if not isinstance(new, Mapping):
        return new
    if path in stops or not isinstance(old, Mapping):
        return _without_nulls(new)
    result = dict(old)
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value, (*path, key), stops)
    return result


def _without_nulls(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {key: _without_nulls(item) for key, item in value.items() if item is not None}


def _united(old: Any, new: list[str]) -> list[Any]:
    known = list(old) if isinstance(old, list) else [] if old in (MISSING, None) else [old]
    return known + [tag for tag in dict.fromkeys(new) if tag not in known]


def _without(value: Any, path: Iterable[str]) -> Any:
    """Returns a value without what lies at a path; nothing there is no error."""
    steps = list(path)
    if not steps:
        return MISSING
    if not isinstance(value, Mapping) or steps[0] not in value:
        return value
    below = _without(value[steps[0]], steps[1:])
    rest = dict(value)
    if below is MISSING:
        del rest[steps[0]]
    else:
        rest[steps[0]] = below
    return rest


def _without_items(value: Any, path: Iterable[str], gone: list[Any]) -> Any:
    steps = list(path)
    if steps:
        if not isinstance(value, Mapping) or steps[0] not in value:
            return value
        return {**value, steps[0]: _without_items(value[steps[0]], steps[1:], gone)}
    if not isinstance(value, list):
        return value
    texts = {_text(item) for item in gone}
    return [item for item in value if _text(item) not in texts]


def _commented(value: Any, change: Mapping[str, Any], created_ns: int) -> dict[str, Any]:
    metadata = dict(value) if isinstance(value, Mapping) else {}
    known = metadata.get("comments")
    time = datetime.datetime.fromtimestamp(created_ns // 10**9, datetime.UTC)
    entry = {"text": change["comment"], "time": f"{time:%Y-%m-%dT%H:%M:%SZ}"}
    if change.get("author") is not None:
        entry["author"] = change["author"]
    metadata["comments"] = [*(known if isinstance(known, list) else []), entry]
    return metadata


# --- checks ---


def _check_fields(given: Mapping[str, Any]) -> None:
    for name in OBJECTS:
        if given.get(name) is not None and not isinstance(given[name], Mapping):
            raise PatchError(f"cannot patch span: {name} is no object; want {{name: value}}")
    for name in ("scores", "metrics"):
        for key, value in (given.get(name) or {}).items():
            _check_number(name, key, value)
    _check_tags(given.get("tags"))
    for name in ("comment", "author"):
        if given.get(name) is not None and not isinstance(given[name], str):
            raise PatchError(f"cannot patch span: {name} is no text; want a string")


def _check_options(given: Mapping[str, Any]) -> None:
    if not isinstance(given.get("_is_merge", True), bool):
        raise PatchError("cannot patch span: _is_merge is no boolean; want true or false")
    for name in ("_merge_paths", "_object_delete"):
        for path in _listed(given, name):
            _path(path, name)
    for entry in _listed(given, "_array_delete"):
        if not isinstance(entry, Mapping) or not isinstance(entry.get("delete"), list):
            raise PatchError(
                "cannot patch span: _array_delete has another form; "
                'want [{"path": ["tags"], "delete": ["value"]}]'
            )
        _path(entry.get("path"), "_array_delete")


def _is_unsaid(key: str, value: Any) -> bool:
    # For fields null means remove, for the rest it means not given.
    return value is None and key not in FIELDS


def _check_number(name: str, key: str, value: Any) -> None:
    if value is None or isinstance(value, bool | int):
        return
    if not isinstance(value, float) or not math.isfinite(value):
        raise PatchError(
            f"cannot patch span: {name}.{key} is no number; want a finite number, true, false, "
            "or null to remove it; put other values in metadata"
        )


def _check_tags(tags: Any) -> None:
    if tags is not None and not (
        isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
    ):
        raise PatchError("cannot patch span: tags is no list of texts; want a list of strings")


def _listed(given: Mapping[str, Any], name: str) -> list[Any]:
    value = given.get(name, [])
    if not isinstance(value, list):
        raise PatchError(f"cannot patch span: {name} is no list; want a list")
    return value


def _path(path: Any, name: str) -> None:
    ok = isinstance(path, list) and path and all(isinstance(key, str) for key in path)
    if not ok or path[0] not in FIELDS:
        raise PatchError(
            f"cannot patch span: {name} has no path {path!r}; "
            f"want a list of keys that begins with one of {', '.join(FIELDS)}"
        )


def _text(value: Any) -> str:
    """Returns JSON text, equal for equal values; a number and a boolean are never equal in it."""
    try:
        if _is_deeper(value, MAX_DEPTH):
            raise PatchError(f"cannot patch span: it is nested deeper than {MAX_DEPTH}; flatten it")
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        if isinstance(error, PatchError):
            raise
        raise PatchError(f"cannot patch span: it is not JSON: {error}; send JSON values") from error
    if len(text) > MAX_PATCH_BYTES:
        raise PatchError(
            f"cannot patch span: it has {len(text)} bytes; want at most {MAX_PATCH_BYTES}"
        )
    return text


def _is_deeper(value: Any, depth: int) -> bool:
    if depth < 0:
        return True
    if isinstance(value, Mapping):
        return any(_is_deeper(item, depth - 1) for item in value.values())
    if isinstance(value, list | tuple):
        return any(_is_deeper(item, depth - 1) for item in value)
    return False
