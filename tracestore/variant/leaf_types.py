"""The types that a leaf column may have: one record for each, with all that anybody must know of it.

docs/format/shredding.md, "Leaf types", is the specification. The native kernels know the types by their names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import pyarrow as pa

Kind = Literal["number", "text", "bool", "other"]


@dataclass(frozen=True, slots=True)
class LeafType:
    """One leaf type.

    Attributes:
        name: what stands after the colon of a leaf column's name.
        arrow: the Arrow type of its columns.
        sql: the SQL type of its columns as they are stored.
        tail_column: the column of the tail sidecar that has its values; lists are JSON text there.
        word: what `typeof` calls its values; those of `json` differ from row to row.
        kind: what its values compare with.
        item: the leaf type of its items, None where it is no list.
    """

    name: str
    arrow: pa.DataType
    sql: str
    tail_column: str
    word: str
    kind: Kind = "other"
    item: str | None = None


def _list_of(item: LeafType) -> LeafType:
    return LeafType(
        name=f"{item.name}[]",
        arrow=pa.list_(item.arrow),
        sql=f"{item.sql}[]",
        tail_column="str",
        word="array",
        item=item.name,
    )


_I64: Final = LeafType("i64", pa.int64(), "BIGINT", "i64", "int64", "number")
_F64: Final = LeafType("f64", pa.float64(), "DOUBLE", "f64", "double", "number")
_BOOL: Final = LeafType("bool", pa.bool_(), "BOOLEAN", "bool", "bool", "bool")
_STR: Final = LeafType("str", pa.string(), "VARCHAR", "str", "string", "text")
_BIN: Final = LeafType("bin", pa.binary(), "BLOB", "bin", "bytes")
_JSON: Final = LeafType("json", pa.string(), "VARCHAR", "str", "json")

LEAVES: Final[dict[str, LeafType]] = {
    leaf_type.name: leaf_type
    for leaf_type in (
        *(_I64, _F64, _BOOL, _STR, _BIN, _JSON),
        *(_list_of(item) for item in (_I64, _F64, _BOOL, _STR, _JSON)),
    )
}
"""The leaf types by name, in the order in which they are listed everywhere."""

LEAF_TYPES: Final = tuple(LEAVES)
