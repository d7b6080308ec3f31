"""Values of spans as Tempo's JSON has them."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from tracestore_query.doors.traceql.tree import INTRINSIC, Field

STATUSES: Final = frozenset({"status", "span:status"})
KINDS: Final = frozenset({"kind", "span:kind"})


def is_word(field: Field) -> bool:
    """Tells whether a field's values are words of TraceQL itself, which are written small."""
    return field.scope == INTRINSIC and field.key in STATUSES | KINDS


def shown_key(field: Field) -> str:
    """Returns the name of a field in an answer: without its scope, as Tempo has it."""
    return field.key.rpartition(":")[2] if field.scope == INTRINSIC else field.key


def any_value(value: Any) -> dict[str, Any]:
    """Returns a value as OTLP's JSON; a missing one is the text `nil`."""
    if value is None:
        return {"stringValue": "nil"}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    if isinstance(value, float):
        # JSON has no infinities.
        return {"doubleValue": value} if math.isfinite(value) else {"stringValue": str(value)}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return {"stringValue": text}


def field_value(field: Field, value: Any) -> dict[str, Any]:
    """Returns the value of a field."""
    return any_value(value.lower() if is_word(field) and isinstance(value, str) else value)


def typed_value(value: Any) -> dict[str, str] | None:
    """Returns a value with the name of its type, for lists to choose from; None for what cannot be chosen."""
    if isinstance(value, bool):
        return {"type": "bool", "value": str(value).lower()}
    if isinstance(value, int):
        return {"type": "int", "value": str(value)}
    if isinstance(value, float):
        return {"type": "float", "value": repr(value)}
    return {"type": "string", "value": value} if isinstance(value, str) else None
