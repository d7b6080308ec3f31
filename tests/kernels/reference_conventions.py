"""What conventions make of a span, in plain Python: the twin of `span_fields` and `numbered_keys`.

The table is the project's own (tracestore.variant.conventions); the rules are written here once more, over
values instead of bytes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from kernels import reference
from kernels.reference_otlp import any_value, attributes
from tracestore.variant import conventions as table

_NUMBER = re.compile("0|[1-9][0-9]{0,5}")
_MAX_LEVELS = 32
_MAX_HOLES = 16
_EVENT_ROLES = {
    "gen_ai.system.message": ("input", "system"),
    "gen_ai.user.message": ("input", "user"),
    "gen_ai.assistant.message": ("input", "assistant"),
    "gen_ai.tool.message": ("input", "tool"),
    "gen_ai.choice": ("output", "assistant"),
}
_ERROR = 2


class RefusedError(ValueError):
    """Numbered keys that make no array."""


@dataclass(slots=True)
class _Node:
    """A place among numbered keys."""

    keys: int = 0
    value: Any = None
    is_value: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


def nest(prefix: str, pairs: list[tuple[str, Any]]) -> Any:
    """Returns the array that numbered keys make; raises RefusedError where they make none."""
    root = _Node()
    for key, value in pairs:
        node = root
        node.keys += 1
        for part in key[len(prefix) :].split("."):
            node = node.children.setdefault(part, _Node())
            node.keys += 1
        node.value, node.is_value = value, True
    wrapped = prefix.startswith(table.WRAPPED_ROOTS)
    return _built(root, prefix[:-1].rpartition(".")[2], 0, wrapped=wrapped)


def _built(node: _Node, name: str, level: int, *, wrapped: bool) -> Any:
    if level == _MAX_LEVELS or (node.is_value and node.children):
        raise RefusedError
    if node.is_value:
        value = node.value
        flat = not isinstance(value, list) or not any(
            isinstance(item, dict | list | bytes) for item in value
        )
        if isinstance(value, dict | bytes) or not flat:
            raise RefusedError
        return value
    numbers = [key for key in node.children if _NUMBER.fullmatch(key)]
    if not numbers and level:
        return {
            key: _built(child, key, level + 1, wrapped=wrapped)
            for key, child in node.children.items()
        }
    most = max((int(key) for key in numbers), default=0)
    if not numbers or len(numbers) < len(node.children) or most > 4 * node.keys + _MAX_HOLES:
        raise RefusedError
    items: list[Any] = [None] * (most + 1)
    for key in numbers:
        item = node.children[key]
        if wrapped:
            word = table.WRAPPED.get(name)
            if word is None or item.is_value or list(item.children) != [word]:
                raise RefusedError
            item = item.children[word]
        if item.is_value or any(_NUMBER.fullmatch(key) for key in item.children):
            raise RefusedError
        items[int(key)] = _built(item, key, level + 1, wrapped=wrapped)
    return items


@dataclass(slots=True)
class _Claim:
    """A value offered for a column, its precedence, and where it came from."""

    rank: int
    key: str
    value: Any
    copied: bool = False
    form: str = "value"


class Fields:
    """The values that a span's attributes and events give its columns."""

    def __init__(self, span: Any) -> None:
        self.row: dict[str, Any] = {}
        self.moved: dict[str, list[str]] = {}
        self._told: dict[tuple[str, str], tuple[int, Any]] = {}
        self._waiting: dict[str, list[_Claim]] = {column: [] for column in table.MOVED}
        self._numbered: dict[str, list[tuple[str, Any]]] = {}
        self._prefixed: list[tuple[str, Any]] = []
        self._messages: dict[str, list[Any]] = {"input": [], "output": []}
        self._exception: dict[str, Any] | None = None
        self.attributes: dict[str, Any] = {}
        for pair in span.attributes:
            if not self._note(pair.key, any_value(pair.value), copied=False):
                self.attributes[pair.key] = any_value(pair.value)
        for event in span.events:
            self._event(event)
        self._settle()
        self._fill(span)

    # --- taking note ---

    def _note(self, key: str, value: Any, *, copied: bool) -> bool:
        """Tells whether the attribute waits for `_settle`."""
        for column, names in table.MOVED.items():
            if key in names:
                rank = names.index(key)
                self._waiting[column].append(_Claim(rank, key, value, copied))
                return not copied
        self._note_told(key, value)
        for names in (*table.MOVED.values(), table.NESTED):
            for name in names:
                prefix = name.removesuffix("*")
                if prefix != name and key.startswith(prefix) and key[len(prefix) :][:1].isdigit():
                    if not copied:
                        self._numbered.setdefault(prefix, []).append((key, value))
                    return not copied
        for prefix in table.METADATA_PREFIXES:
            if key.startswith(prefix) and key != prefix:
                self._prefixed.append((key.removeprefix(prefix), value))
                break
        return False

    def _note_told(self, key: str, value: Any) -> None:
        for group, slots in (
            ("parsed", table.PARSED),
            ("usage", table.USAGE),
            ("aggregated", table.AGGREGATED),
            ("metrics", table.METRICS),
            ("metadata", table.METADATA),
            ("error", {"type": table.ERROR_TYPE}),
            ("evaluation", {name: (name,) for name in table.EVALUATION}),
        ):
            for slot, names in slots.items():
                if key in names:
                    milliseconds = key in table.MILLISECONDS and isinstance(value, int | float)
                    if milliseconds and not isinstance(value, bool):
                        value = value / 1000.0
                    is_json = key in table.JSON_TEXT
                    self._tell((group, slot), names.index(key), (value, is_json))
        if key in table.TYPES and isinstance(value, str):
            word = _type_in_json(value) if key in table.TYPE_IN_JSON else value
            meant = table.TYPES[key].get(word)
            if meant is not None:
                self._tell(("type", ""), list(table.TYPES).index(key), meant)

    def _tell(self, slot: tuple[str, str], rank: int, value: Any) -> None:
        if slot not in self._told or self._told[slot][0] >= rank:
            self._told[slot] = (rank, value)

    def _event(self, event: Any) -> None:
        named = attributes(event.attributes)
        if event.name == "exception":
            self._exception = named
        elif event.name in _EVENT_ROLES:
            column, role = _EVENT_ROLES[event.name]
            self._messages[column].append({"role": role, **named})
        elif event.name.startswith("gen_ai."):
            for pair in event.attributes:
                self._note(pair.key, any_value(pair.value), copied=True)

    # --- settling ---

    def _settle(self) -> None:
        arrays: list[tuple[str, Any]] = []
        for prefix, pairs in self._numbered.items():
            try:
                array = nest(prefix, pairs)
            except RefusedError:
                self.attributes.update(pairs)
                continue
            form = "wrapped" if prefix.startswith(table.WRAPPED_ROOTS) else "numbered"
            arrays.append((prefix, array))
            for column, names in table.MOVED.items():
                if prefix + "*" in names:
                    rank = names.index(prefix + "*")
                    self._waiting[column].append(_Claim(rank, prefix + "*", array, form=form))
        won = set()
        for column, claims in self._waiting.items():
            if not claims:
                continue
            best = min(claims, key=lambda claim: (claim.copied, claim.rank))
            best = [
                each for each in claims if (each.copied, each.rank) == (best.copied, best.rank)
            ][-1]
            won.add(best.key)
            for claim in claims:
                same = not claim.copied and claim.rank == best.rank
                if not claim.copied and not claim.key.endswith(".*") and (best.copied or not same):
                    self.attributes[claim.key] = claim.value
            self._move(column, best)
        for prefix, array in arrays:
            if prefix + "*" in won:
                continue
            if prefix[:-1] in self.attributes:
                self.attributes.update(self._numbered[prefix])
                continue
            self.attributes[prefix[:-1]] = array
            form = "wrapped" if prefix.startswith(table.WRAPPED_ROOTS) else "numbered"
            self.moved[prefix + "*"] = ["attributes", form]

    def _move(self, column: str, best: _Claim) -> None:
        value, form = best.value, best.form
        if isinstance(value, str) and form == "value":
            begins = value.lstrip(" \t\n\r")[:1] in {"{", "["}
            if begins or best.key in table.JSON_TEXT:
                parsed, is_json = _parsed(value)
                if is_json:
                    value, form = parsed, "json"
        self.row[column] = value
        if not best.copied:
            self.moved[best.key] = [column, form]

    # --- columns ---

    def _fill(self, span: Any) -> None:
        for column, messages in self._messages.items():
            if column not in self.row and messages:
                self.row[column] = messages
        if ("type", "") in self._told:
            self.row["type"] = self._told["type", ""][1]
        for column in table.PARSED:
            self._parsed_column(column)
        self._fill_metrics()
        self._fill_metadata()
        self._fill_scores()
        if ("parsed", "error") not in self._told:
            self._error(span)

    def _fill_metrics(self) -> None:
        aggregating = self.row.get("type") in table.AGGREGATING
        metrics = self._object("metrics")
        own = metrics.get("aggregated")
        aggregated: dict[str, Any] = {}
        target = aggregated if aggregating else metrics
        for slot in table.USAGE:
            self._number("usage", slot, target)
        for slot in table.AGGREGATED:
            self._number("aggregated", slot, aggregated)
        for slot in table.METRICS:
            self._number("metrics", slot, metrics)
        self._total(target)
        if aggregated and own is None:
            metrics["aggregated"] = aggregated
        if metrics:
            self.row["metrics"] = metrics

    def _fill_metadata(self) -> None:
        metadata = self._object("metadata")
        for slot in table.METADATA:
            if ("metadata", slot) in self._told:
                _scalar(metadata, slot, self._told["metadata", slot][1][0])
        for name, value in self._prefixed:
            _scalar(metadata, name, value)
        if metadata:
            self.row["metadata"] = metadata

    def _fill_scores(self) -> None:
        scores = self._object("scores")
        named, scored = (self._told.get(("evaluation", each)) for each in table.EVALUATION)
        if named is not None and scored is not None:
            name = named[1][0]
            if isinstance(name, str) and name:
                _number_into(scores, name, scored[1][0])
        if scores:
            self.row["scores"] = scores

    def _object(self, column: str) -> dict[str, Any]:
        value = self.row.get(column, {})
        assert isinstance(value, dict)
        return dict(value)

    def _parsed_column(self, column: str) -> None:
        if ("parsed", column) not in self._told:
            return
        value, always = self._told["parsed", column][1]
        is_open = column in {"tags", "error"}
        if isinstance(value, str):
            first = value.lstrip(" \t\n\r")[:1]
            if first == "{" or (is_open and (first == "[" or always)):
                parsed, is_json = _parsed(value)
                if is_json and (parsed != {} or is_open):
                    self.row[column] = parsed
                    return
            if is_open:
                self.row[column] = value
        elif value is not None and (is_open or (isinstance(value, dict) and value)):
            self.row[column] = value

    def _number(self, group: str, slot: str, target: dict[str, Any]) -> None:
        if (group, slot) in self._told:
            _number_into(target, slot, self._told[group, slot][1][0])

    def _total(self, target: dict[str, Any]) -> None:
        if ("usage", "tokens") in self._told:
            return
        parts = [
            self._told["usage", slot][1][0]
            for slot in ("prompt_tokens", "completion_tokens")
            if ("usage", slot) in self._told
        ]
        counts = [
            part
            for part in parts
            if isinstance(part, int) and not isinstance(part, bool) and 0 <= part < 2**60
        ]
        if counts:
            target.setdefault("tokens", sum(counts))

    def _error(self, span: Any) -> None:
        error: dict[str, Any] = {}
        found = self._exception or {}
        told = self._told.get(("error", "type"))
        _scalar(error, "type", found.get("exception.type"))
        _scalar(error, "message", found.get("exception.message"))
        if told is not None:
            _scalar(error, "type", told[1][0])
        if span.status.code == _ERROR:
            _scalar(error, "message", span.status.message)
        if error:
            self.row["error"] = error


def _type_in_json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value.get("type") if isinstance(value, dict) else None


def _parsed(text: str) -> tuple[Any, bool]:
    try:
        return reference.parse(text), True
    except reference.BadValueError:
        return None, False


def _number_into(target: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        target.setdefault(name, value)


def _scalar(target: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, bool | int | float) or (isinstance(value, str) and value):
        target.setdefault(name, value)
