"""Every bound of tracestore in one place: what it limits, its unit, and why this value."""

from __future__ import annotations

from typing import Final

# --- paths and leaf columns (per builder, hence per memtable and per segment) -------------------

# Keys of a path. Deeper values stay JSON text: traces nest 5 to 20 deep, a footer pays for each level.
MAX_PATH_KEYS: Final = 64

# Nesting of brackets a JSON reader follows; the reader recurses, about 200 bytes of stack a level.
MAX_JSON_DEPTH: Final = 1024

# Leaf columns of a segment. A column costs about 250 bytes of footer per row group: 500 keep the
# footer under 0.5 MB and the open under 15 ms.
MAX_LEAF_COLUMNS: Final = 500

# A leaf earns a column from this many rows on, and from this share of the rows on.
MIN_LEAF_ROWS: Final = 16
MIN_LEAF_DENSITY: Final = 0.01

# Distinct paths of one builder, about 150 bytes each; values beyond it stay in `_overflow` and are counted.
MAX_PATHS: Final = 262_144

# Leaf columns of one export of a memtable; the rest of its values stay in `_overflow`.
MAX_EXPORT_COLUMNS: Final = 4096

# --- payloads ------------------------------------------------------------------------------------

# Bytes of a request after decompression, the value the OTLP specification recommends.
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024

# Bytes of one builder's column of strings: Arrow's 32-bit offsets end at 2^31 - 1.
MAX_COLUMN_BYTES: Final = 2**31 - 1

# Rejections listed by position in one report; the rest are counted only.
MAX_REPORTED_REJECTIONS: Final = 1000
