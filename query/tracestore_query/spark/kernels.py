"""What executors compute with the kernels: Arrow arrays in, Arrow arrays out; no Python per row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pyarrow as pa

from tracestore.variant import OVERFLOW
from tracestore.variant.moved import COLUMN
from tracestore_query.engine import word_search
from tracestore_query.engine.objects import unshredded, with_moved
from tracestore_query.plan.plan import ObjectCall

WORD_FUNCTIONS: Final = tuple(word_search.FUNCTIONS)
"""The functions of text search."""


def object_function(call: ObjectCall) -> Callable[[pa.Array], pa.Array]:
    """Returns what makes JSON texts of a struct of leaf columns."""
    names = [OVERFLOW, *(f"{path}:{leaf_type}" for path, leaf_type in call.leaves)]
    if call.moved:
        names.append(COLUMN)
    path, is_moved = call.path, call.moved

    def rebuilt(leaves: pa.Array) -> pa.Array:
        table = pa.table(leaves.flatten(), names=names)
        texts = unshredded(table, path)
        return with_moved(texts, table) if is_moved else texts

    return rebuilt


def word_function(name: str) -> Callable[[pa.Array, pa.Array], pa.Array]:
    """Returns one of the functions of text search; its bits are signed here."""

    def found(texts: pa.Array, needles: pa.Array) -> pa.Array:
        return word_search.FUNCTIONS[name](texts, needles).cast(pa.int64(), safe=False)

    return found
