"""What conventions make of a span, in plain Python: the twin of `span_fields` and what stands beside it.

The table is the project's own (tracestore.variant.conventions); the rules are written here once more, over
values instead of bytes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kernels import reference_messages as messages
from kernels import reference_payloads as payloads
from kernels import reference_told as told
from kernels.reference_numbered import RefusedError, fits_alone, nest
from kernels.reference_otlp import any_value, attributes
from tracestore.variant import convention_messages as names
from tracestore.variant import conventions as table

_EVENT_ROLES = {
    "gen_ai.system.message": ("input", "system"),
    "gen_ai.user.message": ("input", "user"),
    "gen_ai.assistant.message": ("input", "assistant"),
    "gen_ai.tool.message": ("input", "tool"),
    "gen_ai.choice": ("output", "assistant"),
}
_OK, _ERROR = 1, 2


@dataclass(slots=True)
class _Claim:
    """A value that tells a column, its precedence, and where it came from."""

    rank: int
    key: str
    value: Any
    copied: bool = False
    form: str = "value"
    # Messages of which nothing but their roles is told.
    hollow: bool = False


class Fields:
    """The columns of a span, from what its attributes and events tell."""

    def __init__(self, span: Any) -> None:
        self.row: dict[str, Any] = {}
        self.moved: dict[str, list[str]] = {}
        self._told: dict[tuple[str, str], tuple[int, Any]] = {}
        self._waiting: dict[str, list[_Claim]] = {column: [] for column in table.MOVED}
        self._numbered: dict[str, list[tuple[str, Any]]] = {}
        self._prefixed: list[tuple[str, Any, tuple[str, ...]]] = []
        self._messages: dict[str, list[Any]] = {"input": [], "output": []}
        self._exception: dict[str, Any] | None = None
        self._evaluations: list[tuple[str, Any]] = []
        self._system: Any = None
        self._begun = False
        # Some payload has another form than it came in. Whether it stays an attribute as well is no rule here.
        self.has_messages = False
        self._start_ns = span.start_time_unix_nano
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
        if key in table.OBJECTS:
            self._members(key, value)
        for column, keys in table.MOVED.items():
            if key in keys:
                rank = keys.index(key)
                self._waiting[column].append(_Claim(rank, key, value, copied))
                return not copied
        self._note_told(key, value)
        if key in table.BEGUN and isinstance(value, str) and value:
            self._begun = True
        if key in names.SYSTEM and isinstance(value, str | list) and value:
            self._system = value
        for arrays in (*table.MOVED.values(), table.NESTED):
            for name in arrays:
                prefix = name.removesuffix("*")
                if prefix != name and key.startswith(prefix) and key[len(prefix) :][:1].isdigit():
                    if not copied:
                        self._numbered.setdefault(prefix, []).append((key, value))
                    return not copied
        for prefix, flags in table.METADATA_PREFIXES.items():
            if key.startswith(prefix) and key != prefix:
                self._prefixed.append((key.removeprefix(prefix), value, flags))
                break
        return False

    def _note_told(self, key: str, value: Any) -> None:
        for group, slots in (
            ("parsed", table.PARSED),
            ("usage", table.USAGE),
            ("aggregated", table.AGGREGATED),
            ("metrics", table.METRICS),
            ("metadata", table.METADATA),
            ("error", {"type": table.ERROR_TYPE, "message": table.ERROR_MESSAGE}),
            ("evaluation", {name: (name,) for name in table.EVALUATION}),
        ):
            for slot, keys in slots.items():
                if key in keys:
                    usable = told.usable(group, slot, key, value)
                    if usable is not None:
                        self._tell((group, slot), keys.index(key), (key, usable[0]))
        if key in table.TYPES and isinstance(value, str):
            word = _type_in_json(value) if key in table.TYPE_IN_JSON else value
            meant = table.TYPES[key].get(word)
            if meant is not None:
                self._tell(("type", ""), list(table.TYPES).index(key), meant)

    def _members(self, key: str, value: Any) -> None:
        kind = table.OBJECTS[key]
        rank = 40 + list(table.OBJECTS).index(key)
        if isinstance(value, str):
            value = told.parsed(value)[0] if value.lstrip(told.SPACE)[:1] == "{" else None
            text = True
        else:
            text = False
        if not isinstance(value, dict):
            return
        for path, member in told.flat(value, 1):
            for slot, paths in table.MEMBERS[kind].items():
                if path not in paths:
                    continue
                group = (
                    "usage"
                    if slot in table.USAGE
                    else "error"
                    if (kind, slot) == ("error", "message")
                    else "metadata"
                )
                # JSON's own numbers and words name no model.
                if text and group != "usage" and not isinstance(member, str):
                    continue
                usable = told.usable(group, slot, path, member)
                if usable is not None:
                    self._tell((group, slot), rank, (key, usable[0]))

    def _tell(self, slot: tuple[str, str], rank: int, value: Any) -> None:
        if slot not in self._told or self._told[slot][0] >= rank:
            self._told[slot] = (rank, value)

    def _event(self, event: Any) -> None:
        named = attributes(event.attributes)
        if event.name in table.FIRST_TOKEN_EVENTS and event.time_unix_nano < 2**63:
            slot = ("metrics", "time_to_first_token")
            rank = len(table.METRICS[slot[1]]) + table.FIRST_TOKEN_EVENTS.index(event.name)
            if slot not in self._told or self._told[slot][0] > rank:
                self._told[slot] = (rank, (event.name, told.Time(event.time_unix_nano)))
        if event.name == "exception":
            self._exception = named
        elif event.name in _EVENT_ROLES:
            column, role = _EVENT_ROLES[event.name]
            self._messages[column].append({"role": role, **named})
        elif event.name.startswith("gen_ai."):
            slots = [("evaluation", name) for name in table.EVALUATION]
            own = {slot: self._told.pop(slot) for slot in slots if slot in self._told}
            for pair in event.attributes:
                self._note(pair.key, any_value(pair.value), copied=True)
            found = [self._told.pop(slot, None) for slot in slots]
            if found[0] is not None and found[1] is not None:
                self._evaluations.append((found[0][1][1], found[1][1][1]))
            self._told.update(own)

    # --- settling ---

    def _settle(self) -> None:
        arrays: list[tuple[str, Any]] = []
        for prefix, given in self._numbered.items():
            # Keys that no array has stay attributes.
            pairs = [pair for pair in given if fits_alone(prefix, pair[0])]
            self.attributes.update(pair for pair in given if pair not in pairs)
            self._numbered[prefix] = pairs
            if not pairs:
                continue
            try:
                array = nest(prefix, pairs)
            except RefusedError:
                self.attributes.update(pairs)
                continue
            form = "wrapped" if prefix.startswith(table.WRAPPED_ROOTS) else "numbered"
            arrays.append((prefix, array))
            for column, keys in table.MOVED.items():
                if prefix + "*" in keys:
                    rank = keys.index(prefix + "*")
                    hollow = all(key.endswith(".role") for key, _ in pairs)
                    claim = _Claim(rank, prefix + "*", array, form=form, hollow=hollow)
                    self._waiting[column].append(claim)
        won = {self._choose(column, claims) for column, claims in self._waiting.items() if claims}
        for prefix, array in arrays:
            if prefix + "*" in won:
                continue
            if prefix[:-1] in self.attributes:
                self.attributes.update(self._numbered[prefix])
                continue
            self.attributes[prefix[:-1]] = array
            form = "wrapped" if prefix.startswith(table.WRAPPED_ROOTS) else "numbered"
            self.moved[prefix + "*"] = ["attributes", form]

    def _choose(self, column: str, claims: list[_Claim]) -> str | None:
        """Moves the winner; returns its name, None where messages of events are more than it."""
        # An attribute that comes again replaces itself.
        last = {(claim.copied, claim.rank): claim for claim in claims}.values()
        normal: Any = None
        while True:
            best = min(last, key=lambda claim: (_is_empty(claim), claim.copied, claim.rank))
            loses = _is_empty(best) and bool(self._messages.get(column))
            if loses or _is_empty(best):
                break
            normal = self._normal(column, best, list(last))
            if normal is None or normal[2]:
                break
            # Messages that say nothing: whoever comes after them is asked.
            best.hollow, normal = True, None
        for claim in last:
            stays = (claim is not best or loses) and not claim.copied
            if stays and not claim.key.endswith(".*"):
                self.attributes[claim.key] = claim.value
        if loses:
            return None
        self._move(column, best)
        if normal is not None:
            self.has_messages = True
            self.row[column] = normal[1]
        return best.key

    # --- messages ---

    def _mode(self, column: str) -> str:
        kind = self._told.get(("type", ""), (0, ""))[1]
        if kind == "llm":
            return "call"
        if kind == "tool" and column == "output":
            return "result"
        if kind in {"retriever", "reranker"}:
            return "documents" if column == "output" else "question"
        return "question" if kind == "embedding" and column == "input" else "any"

    def _normal(
        self, column: str, best: _Claim, claims: list[_Claim]
    ) -> tuple[str, Any, bool] | None:
        """Returns a payload's shape, its form as messages, and whether it says something."""
        if best.key not in names.MESSAGES or column == "expected":
            return None
        if best.key in names.TEXTS_OF_JSON:
            is_list = isinstance(best.value, list)
            return ("value", [_of_text(item) for item in best.value], True) if is_list else None
        mode = "call" if best.key in names.REQUESTS else self._mode(column)
        role = "user" if column == "input" else "assistant"
        value = best.value
        try:
            if mode == "call" and best.key in names.JOINED:
                found = _joined(best, claims)
            else:
                found = self._normal_value(column, value, mode, role)
        except messages.OtherError:
            return None
        if found is not None and column == "input" and found[0] == "list":
            found = (*found[:1], self._with_system(found[1]), *found[2:])
        return found

    def _normal_value(
        self, column: str, value: Any, mode: str, role: str
    ) -> tuple[str, Any, bool] | None:
        if not isinstance(value, str):
            if not isinstance(value, list | dict):
                return None
            return payloads.normal(told.json_value(value), mode, role)
        parsed, is_json = told.parsed(value)
        is_open = is_json and isinstance(parsed, list | dict)
        if is_open:
            return payloads.normal(parsed, mode, role)
        if mode == "call" and is_json and isinstance(parsed, str):
            return payloads.normal(parsed, "call", role)
        if mode == "call" or (column == "input" and self._system is not None):
            return payloads.normal(value, "call", role)
        return None

    def _with_system(self, found: list[Any]) -> list[Any]:
        first = found[0] if found else None
        if self._system is None or (isinstance(first, dict) and first.get("role") == "system"):
            return found
        value = self._system
        if isinstance(value, str):
            parsed, is_json = told.parsed(value)
            value = parsed if is_json and isinstance(parsed, list | dict) else value
        else:
            value = told.json_value(value)
        writer = messages.Writer("user")
        writer.body("system", value)
        # One message is put first; words that are a tool's results as well stay an attribute alone.
        return [*writer.out, *found] if len(writer.out) == 1 or not found else found

    def _events(self, column: str) -> Any:
        """Returns what came as events, in the one form; None for nothing."""
        found = self._messages[column]
        if not found:
            return (self._with_system([]) or None) if column == "input" else None
        if self._told.get(("type", ""), (0, ""))[1] == "tool":
            try:
                return payloads.event(told.json_value(found[0]))
            except messages.OtherError:
                return found
        try:
            role = "user" if column == "input" else "assistant"
            made = payloads.normal(told.json_value(found), "call", role)[1]
        except messages.OtherError:
            return found
        return self._with_system(made) if column == "input" else made

    def _move(self, column: str, best: _Claim) -> None:
        value, form = best.value, best.form
        if isinstance(value, str) and form == "value":
            begins = value.lstrip(" \t\n\r")[:1] in {"{", "["}
            if begins or best.key in table.JSON_TEXT:
                parsed, is_json = told.parsed(value)
                if is_json:
                    value, form = parsed, "json"
        self.row[column] = value
        if not best.copied:
            self.moved[best.key] = [column, form]

    # --- columns ---

    def _fill(self, span: Any) -> None:
        for column in self._messages:
            if column not in self.row:
                found = self._events(column)
                if found is not None:
                    self.row[column] = found
        if ("type", "") in self._told:
            self.row["type"] = self._told["type", ""][1]
            if self._only_began(span):
                self.row["type"] = "task"
        for column in table.PARSED:
            self._parsed_column(column)
        self._fill_metrics()
        self._fill_metadata()
        self._fill_scores()
        if ("parsed", "error") not in self._told:
            self._error(span)

    def _only_began(self, span: Any) -> bool:
        """Tells whether the span is a call that ended when its stream began."""
        failed = span.status.code == 2 or self._exception is not None
        counted = any(("usage", slot) in self._told for slot in table.USAGE)
        is_call = self.row["type"] == "llm" and "output" not in self.row
        return self._begun and is_call and not failed and not counted

    def _fill_metrics(self) -> None:
        aggregating = self.row.get("type") in table.AGGREGATING
        metrics = self._object("metrics")
        own = metrics.get("aggregated")
        aggregated: dict[str, Any] = {}
        target = aggregated if aggregating else metrics
        usage = {
            slot: self._told["usage", slot][1][1]
            for slot in table.USAGE
            if ("usage", slot) in self._told
        }
        for slot, value in told.settled(usage).items():
            target.setdefault(slot, value)
        for slot in table.AGGREGATED:
            if ("aggregated", slot) in self._told:
                aggregated.setdefault(slot, self._told["aggregated", slot][1][1])
        for slot in table.METRICS:
            if ("metrics", slot) in self._told:
                value = self._told["metrics", slot][1][1]
                if isinstance(value, told.Time):
                    if not 0 < self._start_ns <= value.ns:
                        continue
                    value = (value.ns - self._start_ns) / 1e9
                metrics.setdefault(slot, value)
        if aggregated and own is None:
            metrics["aggregated"] = aggregated
        if metrics:
            self.row["metrics"] = metrics

    def _fill_metadata(self) -> None:
        metadata = self._object("metadata")
        for slot in table.METADATA:
            if ("metadata", slot) in self._told:
                metadata.setdefault(slot, self._told["metadata", slot][1][1])
        for name, value, flags in self._prefixed:
            begins = isinstance(value, str) and value.lstrip(told.SPACE)[:1] in {"{", "["}
            if isinstance(value, str) and value and ("json" in flags or (flags and begins)):
                parsed, is_json = told.parsed(value)
                metadata.setdefault(name, parsed if is_json else value)
            else:
                _scalar(metadata, name, value)
        if metadata:
            self.row["metadata"] = metadata

    def _fill_scores(self) -> None:
        scores = self._object("scores")
        named, scored = (self._told.get(("evaluation", each)) for each in table.EVALUATION)
        if named is not None and scored is not None:
            scores.setdefault(named[1][1], scored[1][1])
        for name, score in self._evaluations:
            scores.setdefault(name, score)
        if scores:
            self.row["scores"] = scores

    def _object(self, column: str) -> dict[str, Any]:
        value = self.row.get(column, {})
        assert isinstance(value, dict)
        return dict(value)

    def _parsed_column(self, column: str) -> None:
        if ("parsed", column) not in self._told:
            return
        key, value = self._told["parsed", column][1]
        is_open = column in {"tags", "error"}
        if isinstance(value, str):
            if key in table.COMMAS:
                words = [word.strip(" ") for word in value.split(",")]
                self.row[column] = [word for word in words if word]
                return
            first = value.lstrip(told.SPACE)[:1]
            if first == "{" or (is_open and (first == "[" or key in table.JSON_TEXT)):
                parsed, is_json = told.parsed(value)
                if is_json and (parsed != {} or is_open):
                    self.row[column] = parsed
                    return
            if is_open:
                self.row[column] = value
        else:
            self.row[column] = value

    def _error(self, span: Any) -> None:
        error: dict[str, Any] = {}
        failed = span.status.code == _ERROR
        if span.status.code == _OK:
            return
        found = self._exception or {}
        said = {
            slot: self._told["error", slot][1]
            for slot in ("type", "message")
            if ("error", slot) in self._told
            and (failed or self._told["error", slot][1][0] not in table.FAILED)
        }
        _scalar(error, "type", found.get("exception.type"))
        _scalar(error, "message", found.get("exception.message"))
        http = None
        if "type" in said:
            key, value = said["type"]
            if key in table.HTTP_STATUS:
                http = str(value) if isinstance(value, str | int) else None
                if isinstance(value, bool):
                    http = None
                value = http
            if value is not None:
                error.setdefault("type", value)
        if failed:
            _scalar(error, "message", span.status.message)
        if "message" in said:
            error.setdefault("message", said["message"][1])
        if http is not None:
            error.setdefault("message", f"HTTP {http}")
        if error:
            self.row["error"] = error


def _of_text(value: Any) -> Any:
    """Returns what a text of JSON says; anything else as it is."""
    value = told.json_value(value)
    if not isinstance(value, str):
        return value
    parsed, is_json = told.parsed(value)
    return parsed if is_json else value


def _joined(best: _Claim, claims: list[_Claim]) -> tuple[str, Any, bool] | None:
    """Returns one answer out of its text and its calls, which came in two attributes."""
    own = names.JOINED[best.key]
    other = next(
        (
            claim
            for claim in claims
            if names.JOINED.get(claim.key, own) != own and not _is_empty(claim)
        ),
        None,
    )
    text, calls = (best, other) if own == "text" else (other, best)
    if text is not None and not isinstance(text.value, str):
        return None
    message: dict[str, Any] = {"role": "assistant"}
    called: list[Any] | None = None
    if calls is not None:
        value = calls.value
        value = told.parsed(value)[0] if isinstance(value, str) else told.json_value(value)
        if not isinstance(value, list):
            return None
        called = value
    if text is not None and (text.value or called is None):
        message["content"] = text.value
    if called:
        message["tool_calls"] = [messages.call(each) for each in called]
    says = bool(called) or bool(text is not None and text.value)
    return "list", [message], says


def _is_empty(claim: _Claim) -> bool:
    """Tells whether a payload holds nothing."""
    value = claim.value
    if claim.hollow:
        return True
    if isinstance(value, str):
        return value.strip(told.SPACE) in {"", "null", '""', "[]", "{}"}
    return value is None or (isinstance(value, list | dict | bytes) and len(value) == 0)


def _type_in_json(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value.get("type") if isinstance(value, dict) else None


def _scalar(target: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, bool | int | float) or (isinstance(value, str) and value):
        target.setdefault(name, value)
