"""Text in a statement's tree: it is quoted, or it is a plain word. The generator writes some of it as it is."""

from __future__ import annotations

import re
from typing import Final

from sqlglot import exp

from tracestore_query.errors import QueryForbiddenError

_WORD: Final = re.compile(r"\w+")
_NUMBER: Final = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")

# Words of SQL that are written apart.
_PHRASES: Final = frozenset({"CURRENT ROW", "NO OTHERS"})

# Fields that hold a text of their own; others hold nodes, or lists of them.
_FIELDS: Final = frozenset(
    {
        "this",
        "kind",
        "side",
        "method",
        "over",
        "start",
        "start_side",
        "end",
        "end_side",
        "position",
        "direction",
        "pivot_column_naming",
    }
)

# The generator writes their text in quotes and doubles those inside, but the engine knows escapes there.
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
            harmless = isinstance(item, str) and value is item and name in _FIELDS
            if not harmless or not _is_harmless(node, name, item):
                raise QueryForbiddenError(
                    f"cannot run query: the text of {node.key.upper()} is not allowed; "
                    "it takes plain words"
                )


def _is_harmless(node: exp.Expr, name: str, text: str) -> bool:
    if isinstance(node, exp.Literal) and name == "this" and not node.is_string:
        return _NUMBER.fullmatch(text) is not None
    if _WORD.fullmatch(text) is not None or text in _PHRASES:
        return True
    if name != "this":
        return False
    if isinstance(node, exp.Identifier):
        return bool(node.args.get("quoted"))
    if isinstance(node, _ESCAPED):
        return "\\" not in text
    return isinstance(node, exp.Literal | exp.RawString | exp.JSONPathPart)
