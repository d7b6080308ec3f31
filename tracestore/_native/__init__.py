"""Native kernels: bytes in, columns out. No I/O, no policy, no pyarrow.

This is the whole surface; `tracestore.variant` is its one caller.
"""

from tracestore._native.arrow import ArrowBatch
from tracestore._native.builder import LEAF_TYPE_NAMES, Builder
from tracestore._native.conventions import Conventions
from tracestore._native.export import export, fixed_column, row_digests
from tracestore._native.input_key import input_key
from tracestore._native.item_texts import item_texts
from tracestore._native.key_slots import (
    add_keys,
    find_keys,
    hash_words,
    number_texts,
    remove_keys,
)
from tracestore._native.leaf_access import leaf_values, put_values
from tracestore._native.merge import append_batch
from tracestore._native.messages import normal_messages
from tracestore._native.ndjson import append_json
from tracestore._native.otlp import append_otlp, otlp_projects
from tracestore._native.row_keys import row_keys
from tracestore._native.unshred import unshred, unshred_values
from tracestore._native.word_index import WordIndex
from tracestore._native.word_lists import list_sizes, write_lists
from tracestore._native.word_rows import (
    count_blocks,
    count_rows,
    filter_hash,
    write_blocks,
    write_filters,
)
from tracestore._native.words import find_words, words

__all__ = [
    "LEAF_TYPE_NAMES",
    "ArrowBatch",
    "Builder",
    "Conventions",
    "WordIndex",
    "add_keys",
    "append_batch",
    "append_json",
    "append_otlp",
    "count_blocks",
    "count_rows",
    "export",
    "filter_hash",
    "find_keys",
    "find_words",
    "fixed_column",
    "hash_words",
    "input_key",
    "item_texts",
    "leaf_values",
    "list_sizes",
    "normal_messages",
    "number_texts",
    "otlp_projects",
    "put_values",
    "remove_keys",
    "row_digests",
    "row_keys",
    "unshred",
    "unshred_values",
    "words",
    "write_blocks",
    "write_filters",
    "write_lists",
]
