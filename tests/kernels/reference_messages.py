"""Messages in one form, in plain Python: the twin of `messages`, `one_message` and what they are made of.

The lists of names are the project's own (tracestore.variant.convention_messages); the rules are written here once more,
over values instead of bytes. Whether a payload can move is no rule here: what moved is put back, and compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from kernels import reference_told as told
from tracestore.variant import convention_messages as names

FIELDS: Final = {
    name: meaning for meaning, all_names in names.MEMBERS_OF_MESSAGES.items() for name in all_names
}
_ROLES: Final = {word: role for role, words in names.ROLES.items() for word in words}
_PARTS: Final = {word: kind for kind, words in names.PARTS.items() for word in words}
_MOST_MEMBERS = 48
_MOST_WRAPPERS = 4
MOST_NESTED = 4
_SAID = ("text", "image", "other", "message")


class OtherError(ValueError):
    """The fault of a payload that is no messages."""


class Members(dict[str, Any]):
    """The members of an object by what their names mean, and by these names."""

    def __init__(self, value: Any) -> None:
        if not isinstance(value, dict) or len(value) > _MOST_MEMBERS:
            raise OtherError
        super().__init__(value)
        self.meant: dict[str, Any] = {}
        for name, member in value.items():
            # Names that JSON spells with escapes mean nothing; none of the list is spelled so.
            if name in FIELDS:
                self.meant[FIELDS[name]] = member

    def of(self, meaning: str) -> Any:
        return self.meant.get(meaning)


def _members(value: Any) -> Members | None:
    try:
        return Members(value)
    except OtherError:
        return None


@dataclass(slots=True)
class Message:
    """One message under way."""

    members: Members
    role: str | None = None
    finish_reason: str | None = None
    nested: bool = False
    sealed: bool = False
    # It is one part: an item of OpenAI's responses.
    kind: str = ""
    whole: Any = None


@dataclass(slots=True)
class Writer:
    """The messages of one payload."""

    role: str
    out: list[Any] = field(default_factory=list)
    says: bool = False

    # --- lists and requests ---

    def inside(self, value: Any, *, deep: bool) -> None:
        if isinstance(value, list):
            self.messages(value, deep=deep, level=0)
        elif not deep:
            raise OtherError
        elif isinstance(value, str):
            self.body(self.role, value)
        else:
            self.request(value)

    def messages(self, items: list[Any], *, deep: bool, level: int) -> None:
        for item in items:
            if isinstance(item, list) and _is_pair(item):
                self.body(_ROLES[item[0]], item[1])
            elif isinstance(item, list):
                if level >= MOST_NESTED:
                    raise OtherError
                self.messages(item, deep=deep, level=level + 1)
            elif item is None:
                self.out.append(None)
            elif deep and isinstance(item, str):
                self.body(self.role, item)
            else:
                self.message(item, deep=deep, sealed=False)

    def request(self, value: Any) -> None:
        members = Members(value)
        said = members.of("messages")
        if not isinstance(said, list):
            said = members.of("choices")
        if not isinstance(said, list):
            has_contents = members.of("contents") is not None
            if (
                isinstance(members.of("role"), str)
                or _role(members.of("type"))
                or (_has_body(members) and not has_contents)
                or isinstance(members.of("inner"), dict)
            ):
                self.message(value, deep=True, sealed=True)
                return
            said = next(
                (
                    members.of(each)
                    for each in ("contents", "prompt", "result", "arguments", "text")
                    if isinstance(members.of(each), list | str)
                ),
                None,
            )
        if said is None:
            raise OtherError
        system = members.of("system")
        if "system" not in members.meant:
            config = _members(members.of("config"))
            system = config.of("system") if config is not None else None
        if self.role == "user" and not is_blank(system) and not isinstance(system, dict):
            self.body("system", system)
        if isinstance(said, list):
            self.messages(said, deep=True, level=0)
        else:
            self.body(self.role, said)

    # --- one message ---

    def message(self, value: Any, *, deep: bool, sealed: bool) -> None:
        message = read(value, deep=deep)
        message.sealed = sealed
        if _is_tool_offered(message):
            return
        if message.role is None:
            message.role = self.role
        if message.kind:
            self.parts_of(message, None, "content")
        else:
            self.parts_of(message, *body(message.members))

    def body(self, role: str, body: Any) -> None:
        self.parts_of(Message(Members({}), role), body, "content")

    def parts_of(self, message: Message, body: Any, name: str) -> None:
        is_tool = message.role == "tool"
        whole = [(message.kind, message.whole)]
        parts = whole if message.kind else _parts(body, is_tool=is_tool)
        results = [value for kind, value in parts if kind == "result"]
        for value in results:
            self.result(value)
        if results and len(results) == len(parts):
            return
        if results and is_tool:
            message.role = "user"
        if message.kind:
            message.members = Members({})
        self.main(message, body, name, parts)

    def main(self, message: Message, body: Any, name: str, parts: list[tuple[str, Any]]) -> None:
        members = message.members
        calls = members.of("calls") if isinstance(members.of("calls"), list) else []
        legacy = members.of("call") if isinstance(members.of("call"), dict) else None
        has_calls = (
            isinstance(members.of("calls"), list)
            or legacy is not None
            or any(kind == "call" for kind, _ in parts)
        )
        result: dict[str, Any] = {"role": message.role}
        used: set[str] = set()
        is_tool = message.role == "tool"
        if is_tool:
            if members.of("call_id") is not None:
                result["tool_call_id"] = members.of("call_id")
                used.update(spellings(members, "call_id")[-1:])
            elif isinstance(members.of("id"), str) and not message.nested:
                result["tool_call_id"] = members.of("id")
                used.add("id")
        if is_tool and body is not None:
            result["content"] = self.given(body)
            parts = []
        else:
            parts = [
                part
                for part in parts
                if not (
                    part[0] == "text" and (len(parts) > 1 or has_calls) and is_blank(text_of(*part))
                )
            ]
            said = [part for part in parts if part[0] in _SAID]
            if said:
                result["content"] = self.content(said)
            elif name == "content" and "content" in members.meant and body is None:
                if not message.nested:
                    result["content"] = None
            elif name == "content" and isinstance(body, str) and not has_calls:
                result["content"] = ""
        thoughts = [text_of(kind, value) for kind, value in parts if kind == "reasoning"]
        thoughts = [each for each in [*thoughts, members.of("reasoning")] if not is_blank(each)]
        if thoughts:
            self.says = True
            result["reasoning"] = thoughts[0] if len(thoughts) == 1 else thoughts
        made = [call(value) for kind, value in parts if kind == "call"]
        made += [call(each) for each in calls]
        made += [call(legacy)] if legacy is not None else []
        if made:
            self.says = True
            result["tool_calls"] = made
        if message.finish_reason is not None:
            result["finish_reason"] = message.finish_reason
        result |= _rest(message, name, used)
        self.out.append(result)

    def content(self, said: list[tuple[str, Any]]) -> Any:
        if len(said) == 1 and said[0][0] == "text":
            text = text_of(*said[0])
            self.says = self.says or not is_blank(text)
            return text
        self.says = True
        return [
            {"type": "text", "text": text_of(kind, value)}
            if kind == "text"
            else _image(value)
            if kind == "image"
            else value
            for kind, value in said
        ]

    # --- results ---

    def given(self, value: Any) -> Any:
        self.says = True
        said = _alone(value)
        inner = _inner(said)
        return said if inner is None else _alone(inner)

    def result(self, value: Any) -> None:
        members = _members(value)
        if members is None:
            return
        answer = _members(members.of("answer"))
        members = members if answer is None else answer
        result: dict[str, Any] = {"role": "tool"}
        id_ = members.of("call_id")
        id_ = members.of("id") if id_ is None else id_
        if id_ is not None:
            result["tool_call_id"] = id_
        if members.of("name") is not None:
            result["name"] = members.of("name")
        for name in ("result", "content"):
            if name in members.meant:
                result["content"] = self.given(members.of(name))
                break
        self.out.append(result)


# --- reading -----------------------------------------------------------------------------------------


def read(value: Any, *, deep: bool) -> Message:
    """Finds the members of a message inside what stands around them."""
    message = Message(Members(value), whole=value)
    for _ in range(_MOST_WRAPPERS):
        _find_role(message)
        reason = message.members.of("finish_reason")
        if isinstance(reason, str):
            message.finish_reason = reason
        content = _members(message.members.of("content"))
        if content is not None and isinstance(content.of("parts"), list):
            inner = content
        else:
            if _has_body(message.members):
                if message.role is None and not deep:
                    raise OtherError
                return message
            found = _members(message.members.of("inner"))
            if found is None:
                break
            inner = found
        message.members, message.nested = inner, True
    if message.role is not None:
        return message
    kind = _PARTS.get(_word(message.members.of("type")), "")
    if kind in {"call", "result", "reasoning"}:
        message.kind, message.role = kind, "assistant"
        return message
    if deep and isinstance(message.members.of("call"), dict):
        message.role = "assistant"
        return message
    if not deep or not isinstance(message.members.of("text"), str):
        raise OtherError
    return message


def _is_pair(item: list[Any]) -> bool:
    """Tells whether a list is a role and a text, as LangChain takes messages."""
    return len(item) == 2 and all(isinstance(each, str) for each in item) and item[0] in _ROLES


def _find_role(message: Message) -> None:
    role = message.members.of("role")
    if isinstance(role, str) and role:
        message.role = _ROLES.get(role, role)
        return
    found = _role(message.members.of("type"))
    ids = message.members.of("id")
    for each in ids if isinstance(ids, list) else []:
        found = found or _role(each)
    if found:
        message.role, message.nested = found, True


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _role(value: Any) -> str | None:
    return _ROLES.get(_word(value))


def _has_body(members: Members) -> bool:
    return any(members.of(each) is not None for each in ("content", "parts", "contents", "calls"))


def body(members: Members) -> tuple[Any, str]:
    content = members.of("content")
    if not is_blank(content):
        return content, "content"
    for name in ("parts", "contents"):
        if name in members.meant:
            return members.of(name), name
    if "content" not in members.meant:
        for name in ("inner", "text"):
            if isinstance(members.of(name), str):
                return members.of(name), name
    return content, "content"


def _parts(body: Any, *, is_tool: bool) -> list[tuple[str, Any]]:
    if isinstance(body, str) and body[:1] == "[" and len(body) > 6:
        inner = _inner(body)
        if isinstance(inner, list) and inner:
            found = [(_kind(each), each) for each in inner]
            if all(
                isinstance(value, dict) and kind != "other" and (not is_tool or kind == "result")
                for kind, value in found
            ):
                return found
    if is_tool and not isinstance(body, list):
        return []
    if isinstance(body, list):
        return [(_kind(each), each) for each in body]
    return [] if body is None else [(_kind(body), body)]


def parts(body: Any) -> list[tuple[str, Any]]:
    """Returns the parts of what is said, each with its kind."""
    return _parts(body, is_tool=False)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    part = _members(value)
    if part is None:
        return "other"
    kind = _PARTS.get(_word(part.of("type")), "")
    if kind == "text":
        text = part.of("text")
        text = text if isinstance(text, str) else part.of("content")
        return "text" if isinstance(text, str) else "other"
    if kind == "call" and len(part) == 1:
        # Its type alone: what it calls stands elsewhere.
        return "nothing"
    if kind:
        return kind
    if isinstance(part.of("call"), dict):
        return "call"
    if isinstance(part.of("answer"), dict):
        return "result"
    if isinstance(part.of("type"), str):
        return "other"
    if isinstance(part.of("text"), str):
        return "text"
    if isinstance(part.of("function"), dict):
        return "call"
    return "image" if isinstance(part.of("image"), dict) else "other"


def text_of(kind: str, value: Any) -> Any:
    if isinstance(value, str):
        return value
    part = _members(value)
    if part is None:
        return None
    said = part.of("text")
    said = part.of("content") if said is None else said
    if kind == "reasoning" and is_blank(said):
        said = part.of("reasoning")
        return None if said is None else _alone(said)
    return said


def is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and len(value) == 0)


def _inner(value: Any) -> Any:
    """Returns the object or list that a text of JSON holds, else None."""
    if not isinstance(value, str) or value.lstrip(told.SPACE)[:1] not in {"{", "["}:
        return None
    return told.parsed(value)[0]


def parsed(value: Any) -> Any:
    inner = _inner(value)
    return value if inner is None else inner


def _alone(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1:
        part = _members(value[0])
        if part is not None and len(part) <= 2:
            said = part.of("text")
            said = part.of("value") if said is None else said
            return value if said is None else said
    part = _members(value)
    if part is not None and len(part) == 2 and isinstance(part.of("type"), str):
        return part.of("value") if "value" in part.meant else value
    return value


def call(value: Any) -> Any:
    members = _members(value)
    if members is None:
        return value
    inner = _members(members.of("call"))
    members = members if inner is None else inner
    function = _members(members.of("function"))
    id_ = members.of("call_id")
    id_name = "call_id" if id_ is not None else "id"
    id_ = members.of("id") if id_ is None else id_
    source = members if function is None else function
    made = {}
    if "name" in source.meant:
        made["name"] = source.of("name")
    if "arguments" in source.meant:
        made["arguments"] = parsed(source.of("arguments"))
    result = {"id": id_} if id_ is not None else {}
    result["function"] = made
    if function is not None:
        skipped = {"id", *spellings(members, "function"), *spellings(members, id_name)[-1:]}
        result |= {name: each for name, each in members.items() if name not in skipped}
    return result


def spellings(members: Members, meaning: str) -> list[str]:
    return [name for name in members if FIELDS.get(name) == meaning]


def _image(value: Any) -> Any:
    at, kind = value, None
    for _ in range(MOST_NESTED):
        if isinstance(at, str):
            return {"type": "image", "url": at}
        part = _members(at)
        if part is None:
            return value
        if isinstance(part.of("media_type"), str):
            kind = part.of("media_type")
        if part.of("image") is not None:
            at = part.of("image")
            continue
        data = part.of("inner")
        data = data if isinstance(data, str) else part.of("content")
        if not isinstance(data, str):
            return value
        is_whole = data.startswith("data:")
        return {"type": "image", "url": data if is_whole else _data_url(kind, data)}
    return value


def _data_url(kind: str | None, data: str) -> str:
    return f"data:{kind or 'image/png'};base64,{data}"


def _is_tool_offered(message: Message) -> bool:
    content = _members(message.members.of("content"))
    if message.role != "tool" or message.members.of("call_id") is not None or content is None:
        return False
    return isinstance(content.of("function"), dict)


def _rest(message: Message, name: str, used: set[str]) -> dict[str, Any]:
    """Returns what else a message says, under its own names."""
    result = {}
    members = message.members
    has_typed_role = not isinstance(members.of("role"), str) or not members.of("role")
    for key, value in members.items():
        meaning = FIELDS.get(key, "")
        if key in used or meaning in {
            *("role", "calls", "dropped", "finish_reason", "parts", "contents", "content"),
            "reasoning",
        }:
            continue
        if meaning == name and meaning in {"inner", "text"} and value is members.of(name):
            continue
        if meaning == "call":
            if message.nested or isinstance(value, dict):
                continue
        elif message.sealed:
            if meaning != "name" or value is None:
                continue
        elif message.nested:
            if value is None or meaning in {"id", "type", "text"}:
                continue
        elif meaning == "type" and has_typed_role and _role(value):
            continue
        if meaning == "type" and _PARTS.get(_word(value)) == "message":
            continue
        result[key] = value
    return result
