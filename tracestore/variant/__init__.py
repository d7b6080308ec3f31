"""Variants: paths, leaf types and the shredder's front. Knows Arrow; knows no files, HTTP or SQL."""

from tracestore._native import input_key, row_keys
from tracestore.variant.compiled_conventions import one_form
from tracestore.variant.items import (
    ITEM_LIST,
    ITEM_TEXTS,
    ItemTexts,
    is_item_column,
    is_item_path,
    item_path,
    item_texts,
)
from tracestore.variant.keys import Keys, KeySet, Mask, make_valid, mixed, numbers_of
from tracestore.variant.leaf_types import LEAF_TYPES, LEAVES, LeafType
from tracestore.variant.moved import restore_attributes
from tracestore.variant.paths import format_path, leaf_name, parse_leaf_name, parse_path
from tracestore.variant.report import Report
from tracestore.variant.shredder import Shredder, json_projects, otlp_projects
from tracestore.variant.tables import OVERFLOW, TABLES, TableSpec
from tracestore.variant.unshredder import unshred, unshred_rows, unshred_values
from tracestore.variant.words import (
    FILTER_PART_BYTES,
    FILTER_SALTS,
    SEARCHED_COLUMNS,
    SEVERAL_COLUMNS,
    RowWords,
    decode_list,
    encode_lists,
    find_words,
    may_be_in_filter,
    words,
)

__all__ = [
    "FILTER_PART_BYTES",
    "FILTER_SALTS",
    "ITEM_LIST",
    "ITEM_TEXTS",
    "LEAF_TYPES",
    "LEAVES",
    "OVERFLOW",
    "SEARCHED_COLUMNS",
    "SEVERAL_COLUMNS",
    "TABLES",
    "ItemTexts",
    "KeySet",
    "Keys",
    "LeafType",
    "Mask",
    "Report",
    "RowWords",
    "Shredder",
    "TableSpec",
    "decode_list",
    "encode_lists",
    "find_words",
    "format_path",
    "input_key",
    "is_item_column",
    "is_item_path",
    "item_path",
    "item_texts",
    "json_projects",
    "leaf_name",
    "make_valid",
    "may_be_in_filter",
    "mixed",
    "numbers_of",
    "one_form",
    "otlp_projects",
    "parse_leaf_name",
    "parse_path",
    "restore_attributes",
    "row_keys",
    "unshred",
    "unshred_rows",
    "unshred_values",
    "words",
]
