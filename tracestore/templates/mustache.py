"""Templates of prompts: Mustache, which holds no code. Text goes in as it is, since a prompt is no HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pystache.context import ContextStack, KeyNotFoundError
from pystache.parser import ParsingError, parse
from pystache.renderengine import RenderEngine

from tracestore.errors import TemplateError

MAX_LOOK_UPS: Final = 100_000
"""Names that are looked up for one text: sections inside of sections multiply."""

MAX_TEXT_CHARACTERS: Final = 16 * 1024 * 1024
"""Characters of a text, as far as can be told before it is made: a section's items times the template's length."""

_TAG: Final = re.compile(r"\{\{\s*([#^&{]?)\s*([^\s{}=!>/#^&]+)\s*\}?\}\}")
_SECTION: Final = re.compile(r"\{\{\s*([#^/])\s*([^{}]*?)\s*\}\}")
_PARTIAL: Final = re.compile(r"\{\{\s*>")
_OTHER_MARKS: Final = re.compile(r"\{\{\s*=")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text that a template made.

    Attributes:
        text: the text.
        missing: names of values that were not there; nothing stands for them.
    """

    text: str
    missing: tuple[str, ...] = ()


@dataclass(slots=True)
class _LookUps:
    """The names that are looked up while one text is made."""

    template_characters: int
    count: int = 0
    characters: int = 0
    missing: dict[str, None] = field(default_factory=dict)

    def value(self, stack: Any, name: str) -> Any:
        """Returns the value of a name, nothing where there is none."""
        self.count += 1
        if self.count > MAX_LOOK_UPS:
            raise TemplateError(
                f"cannot render template: it looks up more than {MAX_LOOK_UPS} names; "
                "give shorter lists, or fewer sections inside of sections"
            )
        try:
            value = stack.get(name)
        except KeyNotFoundError:
            self.missing[name] = None
            return ""
        items = len(value) if isinstance(value, list | str) else 1
        repeated = self.template_characters if isinstance(value, list) else 1
        self.characters += items * repeated
        if self.characters > MAX_TEXT_CHARACTERS:
            raise TemplateError(
                f"cannot render template: its text could have more than {MAX_TEXT_CHARACTERS} characters; "
                "give shorter lists"
            )
        return value


def render(template: str, values: Mapping[str, Any]) -> Rendered:
    """Returns the text of a template: `{{input.question}}`, and sections `{{#input.items}}{{name}}{{/input.items}}`.

    A value that is no text goes in as its JSON, null as nothing.

    Raises:
        TemplateError: where the template cannot be read, or its text would be too long.
    """
    check(template)
    look_ups = _LookUps(len(template))
    engine = RenderEngine(
        literal=str,
        escape=str,
        resolve_context=look_ups.value,
        resolve_partial=lambda _: "",
        to_str=_as_text,
    )
    try:
        text: str = engine.render(template, ContextStack.create(dict(values)))
    except (ParsingError, RecursionError) as error:
        raise TemplateError(_cannot_read(error)) from None
    sections = {name for mark, name in _TAG.findall(template) if mark in {"#", "^"}}
    return Rendered(text, tuple(name for name in look_ups.missing if name not in sections))


def check(template: str) -> None:
    """Checks that a template can be read.

    Raises:
        TemplateError: saying what it has that is no variable and no section, or which section does not end.
    """
    if _PARTIAL.search(template) or _OTHER_MARKS.search(template):
        raise TemplateError(
            "cannot read template: it has a partial or other marks than {{ and }}; use variables and sections alone"
        )
    if "{{" not in template:
        return
    open_: list[str] = []
    for mark, name in _SECTION.findall(template):
        if mark != "/":
            open_.append(name)
        elif not open_ or open_.pop() != name:
            raise TemplateError(_cannot_read(f"section {name} ends where it did not begin"))
    if open_:
        raise TemplateError(_cannot_read(f"section {open_[-1]} does not end"))
    try:
        parse(template)
    except (ParsingError, RecursionError) as error:
        raise TemplateError(_cannot_read(error)) from None


def variables(template: str) -> tuple[str, ...]:
    """Returns the names that a template looks up, each once, in their order."""
    return tuple(dict.fromkeys(name for _, name in _TAG.findall(template)))


def _as_text(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def _cannot_read(error: Exception | str) -> str:
    why = "sections are too deep" if isinstance(error, RecursionError) else str(error)
    return f"cannot read template: {why}; end each section that begins, as in {{{{#items}}}}…{{{{/items}}}}"
