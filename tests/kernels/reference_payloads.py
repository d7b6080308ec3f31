"""Payloads as messages in one form, in plain Python: the twin of `messages` and `span_messages`."""

from __future__ import annotations

from typing import Any

from kernels import reference_messages as messages


def normal(value: Any, mode: str, role: str) -> tuple[str, Any, bool]:
    """Returns a payload in the one form: its shape (`list` or `value`), and whether it says something.

    Args:
        value: the payload, parsed where it was JSON.
        mode: `any`, `call`, `result`, `documents` or `question`.
        role: of what does not say one.

    Raises:
        messages.OtherError: where it is none of these.
    """
    if mode == "documents":
        return "list", _documents(value), True
    if mode == "question" and isinstance(value, list):
        try:
            return "value", _asked(value), True
        except messages.OtherError:
            pass
    if mode == "any" and isinstance(value, list):
        try:
            return _listed(value, role, deep=False)
        except messages.OtherError:
            return "value", _with_messages(value, role), True
    if mode == "call" or isinstance(value, list):
        return _listed(value, role, deep=mode == "call")
    if mode == "result":
        return "value", _given(value), True
    if mode == "question":
        return "value", _question(value), True
    return "value", _with_messages(value, role), True


def _listed(value: Any, role: str, *, deep: bool) -> tuple[str, Any, bool]:
    writer = messages.Writer(role)
    writer.inside(value, deep=deep)
    if not writer.out:
        raise messages.OtherError
    return "list", writer.out, writer.says


def _asked(items: list[Any]) -> list[Any]:
    """Returns what users said, one text each."""
    texts = []
    for item in items:
        message = messages.read(item, deep=True)
        body, _ = messages.body(message.members)
        parts = messages.parts(body)
        if message.role not in {None, "user"} or len(parts) != 1 or parts[0][0] != "text":
            raise messages.OtherError
        texts.append(messages.text_of(*parts[0]))
    if not texts:
        raise messages.OtherError
    return texts


def _documents(value: Any) -> list[Any]:
    items = value if isinstance(value, list) else messages.Members(value).of("documents")
    if not isinstance(items, list) or not items:
        raise messages.OtherError
    documents = []
    for item in items:
        document = messages.Members(item)
        if not document:
            raise messages.OtherError
        documents.append(
            {
                "content" if messages.FIELDS.get(key) == "page" else key: messages.parsed(each)
                if messages.FIELDS.get(key) == "metadata"
                else each
                for key, each in document.items()
            }
        )
    return documents


def _question(value: Any) -> Any:
    members = messages.Members(value)
    if "question" not in members.meant and messages.spellings(members, "arguments")[-1:] != [
        "input"
    ]:
        raise messages.OtherError
    said = members.of("question")
    said = members.of("arguments") if said is None else said
    if messages.is_blank(said) or not isinstance(said, str | list):
        raise messages.OtherError
    return said


def _given(value: Any) -> Any:
    members = messages.Members(value)
    if len(members) == 1 and "result" in members.meant:
        value = members.of("result")
    message = messages.read(value, deep=False)
    if message.role != "tool":
        raise messages.OtherError
    body, _ = messages.body(message.members)
    if body is None:
        raise messages.OtherError
    return messages.Writer("tool").given(body)


def _with_messages(value: Any, role: str) -> Any:
    """Returns a value whose lists of messages are in the one form."""
    found: list[Any] = []
    made = _nested(value, role, 0, found)
    if not found or made == value:
        raise messages.OtherError
    return made


def _nested(value: Any, role: str, level: int, found: list[Any]) -> Any:
    if level >= messages.MOST_NESTED:
        return value
    if isinstance(value, list):
        return [_nested(item, role, level + 1, found) for item in value]
    try:
        members = messages.Members(value)
    except messages.OtherError:
        return value
    said = members.of("messages")
    name = messages.spellings(members, "messages")[-1] if isinstance(said, list) and said else None
    result = {}
    for key, item in members.items():
        if key != name:
            result[key] = _nested(item, role, level + 1, found)
            continue
        writer = messages.Writer(role)
        writer.messages(item, deep=False, level=1)
        found.append(item)
        result[key] = writer.out
    return result


def event(value: Any) -> Any:
    """Returns what the one message of a tool's event says; raises messages.OtherError where it says nothing."""
    message = messages.read(value, deep=True)
    body, _ = messages.body(message.members)
    if body is None:
        raise messages.OtherError
    return messages.Writer("tool").given(body)
