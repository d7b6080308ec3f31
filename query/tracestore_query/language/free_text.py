"""Text in a statement's tree: it is quoted, or it is a plain word. The generator writes some of it as it is."""

from __future__ import annotations

import re
from typing import Final

from sqlglot import exp

from tracestore_query.errors import QueryForbiddenError

_WORDS: Final = re.compile(r"\w*(?: \w+)*")
_NUMBER: Final = re.compile(r"[\w.]*(?:[eE][+-]?\d+)?")

# The generator writes their text in quotes, and doubles those inside.
_QUOTED: Final = (exp.RawString, exp.JSONPathPart)
# The same, but the engine knows escapes of backslashes there.
_ESCAPED: Final = (exp.ByteString, exp.National)


def check_texts(node: exp.Expr) -> None:
    """Refuses a node whose text would reach the engine as it is and is more than a word.

    Raises:
        QueryForbiddenError: naming the kind of the node.
    """
    for name, value in node.args.items():
        for item in value if isinstance(value, list) else (value,):
            if item is None or isinstance(item, exp.Expr | bool | int | exp.DType):
                continue
            if not isinstance(item, str) or not _is_harmless(node, name, item):
                raise QueryForbiddenError(
                    f"cannot run query: the text of {node.key.upper()} is not allowed; "
                    "it takes plain words"
                )


def _is_harmless(node: exp.Expr, name: str, text: str) -> bool:
    if _WORDS.fullmatch(text) is not None:
        return True
    if name != "this":
        return False
    if isinstance(node, exp.Literal):
        return bool(node.is_string) or _NUMBER.fullmatch(text) is not None
    if isinstance(node, exp.Identifier):
        return bool(node.args.get("quoted"))
    if isinstance(node, _ESCAPED):
        return "\\" not in text
    return isinstance(node, _QUOTED)
