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
    if mode == "call" or isinstance(value, list):
        writer = messages.Writer(role)
        writer.inside(value, deep=mode == "call")
        if not writer.out:
            raise messages.OtherError
        return "list", writer.out, writer.says
    if mode == "result":
        return "value", _given(value), True
    if mode == "question":
        return "value", _question(value), True
    return "value", _with_messages(value, role), True


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
    members = messages.Members(value)
    said = members.of("messages")
    if not isinstance(said, list) or not said:
        raise messages.OtherError
    writer = messages.Writer(role)
    writer.messages(said, deep=False, level=1)
    if writer.out == said:
        raise messages.OtherError
    name = messages.spellings(members, "messages")[-1]
    return {**value, name: writer.out}


def event(value: Any) -> Any:
    """Returns what the one message of a tool's event says; raises messages.OtherError where it says nothing."""
    message = messages.read(value, deep=True)
    body, _ = messages.body(message.members)
    if body is None:
        raise messages.OtherError
    return messages.Writer("tool").given(body)
