"""Keys and texts of TraceQL without their quotes."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r"}


def key_of(text: str) -> str:
    """Returns the key of an attribute without the quotes that its parts may have."""
    parts = re.findall(r'"(?:\\.|[^"\\])*"|[^"]+', text)
    return "".join(unquoted(part) if part.startswith('"') else part for part in parts)


def unquoted(text: str) -> str:
    """Returns a text without its quotes and escapes."""
    if text.startswith("`"):
        return text[1:-1]
    return re.sub(
        r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text[1:-1], flags=re.DOTALL
    )
