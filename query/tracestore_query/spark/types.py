"""The engine's types, as its plans spell them, and Spark's for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tracestore_query.errors import SparkRefusedError
from tracestore_query.spark.names import named

_SPARK: Final = {
    "BOOLEAN": "BOOLEAN",
    "TINYINT": "TINYINT",
    "SMALLINT": "SMALLINT",
    "INTEGER": "INT",
    "BIGINT": "BIGINT",
    # Spark has no unsigned integers, and none of 128 bits: each is the smallest type that holds it.
    "UTINYINT": "SMALLINT",
    "USMALLINT": "INT",
    "UINTEGER": "BIGINT",
    "UBIGINT": "DECIMAL(20,0)",
    "HUGEINT": "DECIMAL(38,0)",
    "UHUGEINT": "DECIMAL(38,0)",
    "FLOAT": "FLOAT",
    "DOUBLE": "DOUBLE",
    "VARCHAR": "STRING",
    "CHAR": "STRING",
    "ENUM": "STRING",
    "STRING_LITERAL": "STRING",
    "INTEGER_LITERAL": "INT",
    "BLOB": "BINARY",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP_NTZ",
    "TIMESTAMP_S": "TIMESTAMP_NTZ",
    "TIMESTAMP_MS": "TIMESTAMP_NTZ",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
    "INTERVAL": "INTERVAL",
    "NULL": "INT",
}
INTEGERS: Final = frozenset(
    {
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "HUGEINT",
        "UHUGEINT",
    }
)
FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})
TIMES: Final = frozenset(
    {"DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP WITH TIME ZONE"}
)
INSTANT: Final = "TIMESTAMP WITH TIME ZONE"


@dataclass(frozen=True, slots=True)
class EngineType:
    """A type of the engine.

    Attributes:
        name: of the type, without its parts.
        parts: the types of a struct's fields, of a list's items, or of a map's keys and values, with their names.
        width: digits of a decimal.
        scale: digits behind its point.
        alias: what the engine calls it instead; empty for none.
    """

    name: str
    parts: tuple[tuple[str, EngineType], ...] = ()
    width: int = 0
    scale: int = 0
    alias: str = ""

    @property
    def is_json(self) -> bool:
        """Tells whether values are texts of JSON."""
        return self.name == "VARCHAR" and self.alias == "JSON"

    @property
    def is_list(self) -> bool:
        """Tells whether values are lists."""
        return self.name in {"LIST", "ARRAY"}

    @property
    def item(self) -> EngineType:
        """Returns the type of a list's items."""
        return self.parts[0][1]

    @property
    def is_number(self) -> bool:
        """Tells whether values are numbers."""
        return self.name in INTEGERS or self.name in FLOATS or self.name == "DECIMAL"

    @property
    def spark(self) -> str:
        """Returns Spark's type.

        Raises:
            SparkRefusedError: where it has none.
        """
        if self.name == "DECIMAL":
            return f"DECIMAL({self.width},{self.scale})"
        if self.is_list:
            return f"ARRAY<{self.item.spark}>"
        if self.name == "STRUCT":
            fields = ", ".join(f"{named(name)}: {part.spark}" for name, part in self.parts)
            return f"STRUCT<{fields}>"
        if self.name == "MAP":
            return f"MAP<{', '.join(part.spark for _, part in self.parts)}>"
        if self.name not in _SPARK:
            raise SparkRefusedError.of(f"type {self.name}", "cast it to VARCHAR")
        return _SPARK[self.name]


def is_value(kind: EngineType) -> bool:
    """Tells whether a type is the one of values of mixed type."""
    return kind.name == "STRUCT" and kind.parts[:1] != () and kind.parts[0][0] == "__kind"


def read_type(node: Any) -> EngineType:
    """Returns a type of a plan's JSON."""
    name = str(node["id"])
    info = node.get("type_info") or {}
    alias = str(info.get("alias") or "")
    if name in {"LIST", "ARRAY"}:
        return EngineType(name, (("", read_type(info["child_type"])),), alias=alias)
    if name == "STRUCT":
        parts = tuple(
            (str(f["first"]), read_type(f["second"])) for f in info.get("child_types", ())
        )
        return EngineType(name, parts, alias=alias)
    if name == "MAP":
        return EngineType(name, read_type(info["child_type"]).parts, alias=alias)
    if name == "DECIMAL":
        return EngineType(name, (), int(info.get("width", 18)), int(info.get("scale", 0)), alias)
    return EngineType(name, alias=alias)
