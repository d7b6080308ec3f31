"""Attributes that moved to a column of their own, asked for by the names they came under.

`attributes.gen_ai.input.messages[0].role` is `input[0].role` in the rows whose `moved_attributes` say so, and
`attributes."llm.input_messages.0.message.role"` too: what an application sent is found where it sent it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tracestore.variant.conventions import WRAPPED, WRAPPED_ROOTS
from tracestore.variant.moved import ATTRIBUTES, SOURCES
from tracestore_query.language.path_syntax import Step

_ARRAYS: Final = {name.removesuffix("*"): name for name in SOURCES if name.endswith(".*")}
"""Numbered keys, their array's full name by their beginning."""


@dataclass(frozen=True, slots=True)
class MovedPath:
    """The place of an attribute's value in the rows in which it moved.

    Attributes:
        name: of the attribute, as `moved_attributes` has it.
        steps: its path there, the column first.
    """

    name: str
    steps: tuple[Step, ...]

    @property
    def mark(self) -> str:
        """Returns the text that `moved_attributes` holds in such rows."""
        return f'"{self.name}":["{self.steps[0].text}"'


def moved_path(steps: Sequence[Step]) -> MovedPath | None:
    """Returns where the attribute that a path names may have moved, None where none moves."""
    if steps[0].text != ATTRIBUTES:
        return None
    text = ""
    for i, step in enumerate(steps[1:], 2):
        if step.index is not None:
            return None
        text = f"{text}.{step.text}" if text else step.text
        column = SOURCES.get(text)
        array = SOURCES.get(f"{text}.*")
        after = tuple(steps[i:])
        if array is not None and array != ATTRIBUTES and after and after[0].index is not None:
            return MovedPath(f"{text}.*", (Step(array), *after))
        if column is not None and not _goes_on(text, after):
            return MovedPath(text, (Step(column), *after))
        if array is not None and array != ATTRIBUTES and not after:
            return MovedPath(f"{text}.*", (Step(array),))
    return _numbered(text)


def _goes_on(text: str, after: tuple[Step, ...]) -> bool:
    """Tells whether a longer name is meant: `gen_ai.prompt.name` is none of `gen_ai.prompt`."""
    for step in after:
        if step.index is not None:
            return False
        text = f"{text}.{step.text}"
        if text in SOURCES or f"{text}.*" in SOURCES:
            return True
    return False


def _numbered(text: str) -> MovedPath | None:
    """Returns the place of one numbered key, written out: `llm.input_messages.0.message.role`."""
    for prefix, name in _ARRAYS.items():
        if not text.startswith(prefix):
            continue
        steps = _array_steps(prefix, text)
        column = SOURCES[name]
        if steps is None:
            return None
        if column == ATTRIBUTES:
            steps = [Step(prefix[:-1], exact=True), *steps]
        return MovedPath(name, (Step(column), *steps))
    return None


def _array_steps(prefix: str, text: str) -> list[Step] | None:
    """Returns the steps inside an array, without the words behind its numbers; None where it is no such key."""
    wrapped = prefix.startswith(WRAPPED_ROOTS)
    found: list[Step] = []
    before = prefix[:-1].rpartition(".")[2]
    skipped: str | None = None
    for part in text[len(prefix) :].split("."):
        if skipped is not None:
            if part != skipped:
                return None
            skipped = None
        elif part.isdigit() and len(part) <= 6:
            found.append(Step(index=int(part)))
            skipped = WRAPPED.get(before) if wrapped else None
        else:
            found.append(Step(part, exact=True))
            before = part
    return found if found and found[0].index is not None else None
