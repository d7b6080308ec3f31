"""One published table: its columns, which only grow, and its partitions by day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import pyarrow as pa
from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table import Table, Transaction
from pyiceberg.table.name_mapping import create_mapping_from_schema
from pyiceberg.transforms import DayTransform
from pyiceberg.types import IcebergType, LongType, NestedField, StringType, TimestamptzType

from tracestore.iceberg.warehouse import namespace_of
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.variant import OVERFLOW
from tracestore.variant.tables import TIMESTAMP

PROJECT: Final = "tracestore.project"
"""The property that says whose rows a table has."""

_TYPES: Final[Mapping[pa.DataType, type[IcebergType]]] = {
    pa.int64(): LongType,
    pa.string(): StringType,
    TIMESTAMP: TimestamptzType,
}

_PROPERTIES: Final = {
    "format-version": "2",
    # Bounds of every leaf column would make a manifest of a thousand segments as large as one of them.
    "write.metadata.metrics.default": "none",
    "commit.manifest-merge.enabled": "true",
    # Each publication writes the metadata again: those of the last hour let readers end what they began.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
}

_BOUNDED: Final = "truncate(36)"
"""Whole ids and times, by which engines leave files out."""


def find_table(catalog: Catalog, project: str, table: str) -> Table | None:
    """Returns a project's published table, None where there is none."""
    try:
        return catalog.load_table((namespace_of(project), table))
    except NoSuchTableError:
        return None


def make_table(catalog: Catalog, project: str, table: str) -> Table:
    """Returns a new table with the fixed columns, without rows."""
    namespace = namespace_of(project)
    catalog.create_namespace_if_not_exists((namespace,), {PROJECT: project})
    spec = SEGMENT_TABLES[table]
    names = [*(name for name in spec.columns if name not in spec.derived), OVERFLOW]
    types = [spec.spec.columns.get(name, pa.string()) for name in names]
    schema = Schema(
        *(
            NestedField(number, name, _TYPES[kind](), required=False)
            for number, (name, kind) in enumerate(zip(names, types, strict=True), 1)
        )
    )
    time_id = schema.find_field(spec.time_column).field_id
    days = PartitionSpec(PartitionField(time_id, 1000, DayTransform(), "day"))
    bounded = {f"write.metadata.metrics.column.{name}": _BOUNDED for name in names[:-1]}
    return catalog.create_table(
        (namespace, table),
        schema,
        partition_spec=days,
        properties={
            **_PROPERTIES,
            **bounded,
            PROJECT: project,
            # The files have no ids of Iceberg's: columns are found by their names.
            "schema.name-mapping.default": create_mapping_from_schema(schema).model_dump_json(),
        },
    )


def add_columns(change: Transaction, schemas: Iterable[pa.Schema]) -> None:
    """Adds the columns of files that a table has not yet."""
    known = {field.name for field in change.table_metadata.schema().fields}
    new: dict[str, pa.Field] = {}
    for schema in schemas:
        for field in schema:
            if field.name not in known:
                new.setdefault(field.name, pa.field(field.name, field.type))
    if new:
        with change.update_schema() as update:
            update.union_by_name(pa.schema([new[name] for name in sorted(new)]))
