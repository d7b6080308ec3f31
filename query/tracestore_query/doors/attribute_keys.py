"""How the key of an attribute stands in SQL."""

from __future__ import annotations

import re
from typing import Final

from tracestore_query.tables.names import quoted

_PLAIN: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def attribute_path(column: str, key: str) -> str:
    """Returns the path of an attribute: a dotted chain, which finds flat and nested keys, else the exact key."""
    return f"{column}.{key}" if _PLAIN.fullmatch(key) else f"{column}[{quoted(key)}]"
