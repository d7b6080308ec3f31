"""Messages that come by another way than a span's attributes, in the one form of `input` and `output`."""

from __future__ import annotations

import json
from typing import Any

from tracestore import _native
from tracestore.variant.compiled_conventions import CONVENTIONS


def one_form(messages: Any, *, asked: bool) -> list[Any] | None:
    """Returns messages of any spelling in the one form, None where they are none.

    Args:
        messages: a list of them, a request or an answer.
        asked: whether one that names no role is a user's, not an assistant's.
    """
    text = json.dumps(messages, ensure_ascii=False).encode("utf-8", "replace")
    normal = _native.normal_messages(CONVENTIONS, text, asked)
    return None if normal is None else list(json.loads(normal))
