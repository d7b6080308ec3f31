"""What kind of phrase begins a docstring: a class's is a noun phrase, a function's begins with a verb."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CLASSES = (ast.ClassDef,)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_VERBS_OF_STATE = frozenset({"is", "are", "was", "has", "does", "goes", "stands", "knows", "says"})
_RELATIVE_PRONOUNS = frozenset({"that", "which", "whose"})
# Nouns of one thing, which end as a verb in the third person does.
_SINGULAR_IN_S = re.compile(r".*(ss|us|sis|ics)$|^(alias|bias|canvas|gas|lens|this|its)$")


def docstrings(path: Path, kinds: tuple[type[ast.AST], ...]) -> Iterator[tuple[str, str]]:
    """Yields the name and the docstring of each definition of these kinds in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, kinds):
            assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            text = ast.get_docstring(node)
            if text:
                yield node.name, text


def first_words(text: str) -> tuple[str, str]:
    """Returns the first two words in lowercase; what stands in brackets is left out."""
    match = re.match(r"(?:\([^)]*\))?\W*([\w'-]+)(?:(?:\s+|\s*\([^)]*\)\s*)`*([\w'-]+))?", text)
    return (match[1].lower(), (match[2] or "").lower()) if match else ("", "")


def begins_with_a_verb(text: str, verbs: frozenset[str] = frozenset()) -> bool:
    """Returns whether a text begins with a verb in the third person.

    A first word in -s is a plural when "of" follows ("Limits of an answer"), or a relative clause
    does and the word is none of `verbs` ("Rows that a query reads", but not "Says that"). Any
    other is taken for a verb; a plural that is meant gets an article ("The rows and columns").
    """
    first, second = first_words(text)
    if first in _VERBS_OF_STATE:
        return True
    if not first.endswith("s") or _SINGULAR_IN_S.match(first) or second == "of":
        return False
    return second not in _RELATIVE_PRONOUNS or first in verbs
