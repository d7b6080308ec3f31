"""Changes of single places of a play: the last one wins at its place, and others stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from tracestore.play.runs.body import SERVERS_OWN

MAX_EDITS: Final = 1000
MAX_PATH_KEYS: Final = 32

_ENTITIES: Final = frozenset({("columns",), ("rows", "items")})
"""Where objects by id stand: what is gone there is not made anew by a change inside of it."""

_COLUMN_KEYS: Final = 2
"""Keys of a path to a whole column."""


class Edit(BaseModel):
    """A change of one place; a number in the path is an item of a list, one at its end appends."""

    model_config = ConfigDict(extra="forbid")

    path: list[str | int] = Field(min_length=1, max_length=MAX_PATH_KEYS)
    value: Any = None
    delete: bool = False


def apply(body: dict[str, Any], edits: Sequence[Edit]) -> list[int]:
    """Changes a body and returns the numbers of the edits whose place is not there, or is the server's own."""
    return [number for number, edit in enumerate(edits) if not _applied(body, edit)]


def _applied(body: dict[str, Any], edit: Edit) -> bool:
    path = tuple(edit.path)
    if path[0] == "columns" and len(path) > _COLUMN_KEYS and path[2] in SERVERS_OWN:
        return False
    value = edit.value
    if path[0] == "columns" and len(path) == _COLUMN_KEYS and isinstance(value, Mapping):
        value = _with_servers_own(value, body.get("columns", {}).get(path[1]))
    if path == ("columns",) and isinstance(value, Mapping):
        known = body.get("columns", {})
        value = {each: _with_servers_own(column, known.get(each)) for each, column in value.items()}
    place = _place(body, path)
    return place is not None and _set(place, path[-1], value, delete=edit.delete)


def _place(body: dict[str, Any], path: tuple[str | int, ...]) -> Any:
    """Returns what holds the last key of a path, None where it is gone; objects that are not there yet are made."""
    place: Any = body
    for depth, key in enumerate(path[:-1]):
        if isinstance(place, list):
            if not isinstance(key, int) or not 0 <= key < len(place):
                return None
            place = place[key]
        elif isinstance(place, dict) and isinstance(key, str):
            if place.get(key) is None:
                if path[:depth] in _ENTITIES:
                    return None
                place[key] = {}
            place = place[key]
        else:
            return None
    return place


def _set(place: Any, key: str | int, value: Any, *, delete: bool) -> bool:
    if isinstance(place, dict) and isinstance(key, str):
        if delete:
            return place.pop(key, place) is not place
        place[key] = value
        return True
    if not isinstance(place, list) or not isinstance(key, int) or not 0 <= key <= len(place):
        return False
    if delete and key == len(place):
        return False
    place[key : key + 1] = [] if delete else [value]
    return True


def _with_servers_own(column: Any, known: Any) -> Any:
    """Returns a column with what runs have set of the one that was there."""
    if not isinstance(column, Mapping):
        return column
    own = {name: value for name, value in column.items() if name not in SERVERS_OWN}
    kept = known if isinstance(known, Mapping) else {}
    return {**own, **{name: kept[name] for name in SERVERS_OWN if name in kept}}
