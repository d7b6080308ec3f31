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

# Distinct keys of the items of a list of objects that are looked at for item columns: those that come first. Lists
# of records have a dozen; each key of an item is compared with as many.
MAX_ITEM_KEYS: Final = 64

# Item columns of a list, and the share of a segment's bytes that all its item columns may take: they repeat what the
# lists hold. Roles, names and kinds of messages take 1 to 2 %.
MAX_ITEM_COLUMNS: Final = 16
MAX_ITEM_COLUMNS_SHARE: Final = 0.04

# A key earns an item column if at least this share of the items has it.
MIN_ITEM_DENSITY: Final = 0.01

# Distinct paths of one builder, about 150 bytes each; values beyond it stay in `_overflow` and are counted.
MAX_PATHS: Final = 262_144

# Bytes of a path's text. Every leaf repeats its path in its name, so that a long path above many keys multiplies.
# A value at a longer path stays JSON text in `_overflow`.
MAX_PATH_BYTES: Final = 1024

# No bound on a path's text while rows are rebuilt: no name is made then.
ANY_PATH_BYTES: Final = 2**32 - 1

# Distinct paths while rows are rebuilt. Everything that is stored must come back, so only 32-bit numbers bound it.
MAX_NODES: Final = 2**32 - 16

# Leaf columns of one export of a memtable; the rest of its values stay in `_overflow`.
MAX_EXPORT_COLUMNS: Final = 4096

# --- payloads ------------------------------------------------------------------------------------

# Bytes of a request after decompression, the value the OTLP specification recommends.
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024

# Bytes of one builder's column of strings: Arrow's 32-bit offsets end at 2^31 - 1.
MAX_COLUMN_BYTES: Final = 2**31 - 1

# Rejections listed by position in one report; the rest are counted only.
MAX_REPORTED_REJECTIONS: Final = 1000

# --- write-ahead log -----------------------------------------------------------------------------

# Bytes of a project or experiment name in a frame and on disk; longer names are refused.
MAX_NAME_BYTES: Final = 1024

# Bytes of one WAL file before the memtables are flushed, so that replay stays under about a second.
WAL_FILE_BYTES: Final = 256 * 1024 * 1024

# Seconds between background syncs when durability is "async": what a power cut may take.
ASYNC_SYNC_SECONDS: Final = 1.0

# --- memtable and flush --------------------------------------------------------------------------

# A flush starts at this many bytes held by the builders, at this many rows, or at this age.
FLUSH_BYTES: Final = 64 * 1024 * 1024
FLUSH_ROWS: Final = 400_000
FLUSH_SECONDS: Final = 60.0

# Frozen memtables that wait for their segment, FLUSH_BYTES each. Where there is one more, ingest waits.
MAX_FROZEN_MEMTABLES: Final = 2

# Days of row time that one flush cuts into segments of their own; rows of other days share one segment,
# so that a payload of a thousand scattered days costs nine files, not a thousand.
MAX_FLUSH_DAYS: Final = 8

# How many times larger a chunk of a memtable may be than the next one before both are exported again as one.
SNAPSHOT_CHUNK_FACTOR: Final = 4

# --- recent span keys (dedup) --------------------------------------------------------------------

# Recently stored spans whose keys are held in memory: two of 8 bytes each in tables at most half full, 64 MiB a half.
# A span that was stored before these is sought in the segments of its time.
RECENT_SPANS: Final = 2 * 1024 * 1024

# Seconds for which these keys are held, and from how old segments they are read at opening; exporters give up within
# minutes, and spans end within an hour.
RECENT_SECONDS: Final = 3600.0

# --- segments ------------------------------------------------------------------------------------

# Row groups end at this many rows (DuckDB's own vector group) or bytes, whichever is first.
ROW_GROUP_ROWS: Final = 122_880
ROW_GROUP_BYTES: Final = 128 * 1024 * 1024

# Bytes of one column's dictionary above which a row group is halved, unless both halves need most of it
# (segment/write): a reader of one row decodes the whole dictionary, and one thread reads one group. Measured on
# 20,000 chats, 40 at a time: the latest 50 take 27 ms with 8 MiB, 40 ms with 16 and 101 ms with 64; the file has
# 18.4, 17.6 and 16.9 MB (bench/compare, llm).
ROW_GROUP_DICTIONARY_BYTES: Final = 16 * 1024 * 1024

# A page ends at this many bytes before compression, and at no number of rows: narrow columns are one or two
# pages (in pages of 20,000 rows, GROUP BY takes 25 % longer), ids are twenty, of which a reader of few rows
# skips most (top 10 of 1 M rows: 11 ms, 16 ms with 1 MiB). bench/query.
PAGE_BYTES: Final = 128 * 1024

# Row groups of the tail sidecar: readers skip whole row groups, and one path is a few of them at most. One path
# of 200,000 in 1 M rows takes 7.5 ms with 8,192, 11 ms with 16,384 and 44 ms with 65,536 (bench/query).
TAIL_ROW_GROUP_ROWS: Final = 8_192

# Dictionary page bound for `str` and `json[]` leaves: a chat history repeats across a row group.
DICTIONARY_PAGE_BYTES: Final = 64 * 1024 * 1024

# --- words sidecars ------------------------------------------------------------------------------

# A segment of fewer rows has no words sidecar: looking through its texts takes a few milliseconds, and it is merged
# soon.
MIN_WORDS_ROWS: Final = 4096

# Bytes of a words sidecar for a byte of its segment and tail.
MAX_WORDS_SHARE: Final = 0.2

# Words that one search looks for in a column: a bit of the kernel's answer for each.
MAX_SEARCHED_WORDS: Final = 64

# Bytes of a word that is listed. Longer ones are encoded bytes, which nobody types, and would cost what they hold.
MAX_LISTED_WORD_BYTES: Final = 128

# A word in more than this share of the rows has no list: all rows are looked through, which its list would not shorten.
MAX_LISTED_ROWS_SHARE: Final = 1 / 8

# Row numbers of one sidecar in memory while it is written, 4 bytes each; words of the most rows are left without first.
MAX_LISTED_ROWS: Final = 32 * 1024 * 1024

# Words and entries of their lists in one row group of the sidecar: what a look-up decodes, about 0.5 ms.
WORDS_ROW_GROUP_WORDS: Final = 4096
WORDS_ROW_GROUP_ENTRIES: Final = 32 * 1024

# Where there are too many words to list, rows of one filter of the words, and its bits for each: about one answer in
# a hundred is wrong, and costs reading these rows.
WORDS_FILTER_ROWS: Final = 8192
WORDS_FILTER_BITS: Final = 10

# Rate of false positives of the bloom filters; a full row group then needs just under 2^20 bits, and
# filters are rounded up to a power of two (0.01 would double them).
BLOOM_FALSE_POSITIVES: Final = 0.02

# --- compaction ----------------------------------------------------------------------------------

# Segments merged at once, at most; and segments of one size tier that make a merge worth it.
COMPACTION_MAX_INPUTS: Final = 64
COMPACTION_MIN_INPUTS: Final = 4

# Rows and uncompressed bytes that one merge holds in memory. More input becomes several output segments, which
# do not overlap in time.
COMPACTION_UNIT_ROWS: Final = 500_000
COMPACTION_UNIT_BYTES: Final = 80 * 1024 * 1024

# A segment of this many bytes or more is not merged again.
COMPACTION_TARGET_BYTES: Final = 256 * 1024 * 1024

# --- catalog and object storage ------------------------------------------------------------------

# Distinct (path, type) pairs the catalog lists per project and table; more stay readable, unlisted.
MAX_CATALOG_PATHS: Final = 262_144

# Bytes of segment files kept locally when segments live in an object store.
OBJECT_CACHE_BYTES: Final = 4 * 1024 * 1024 * 1024

# Columns that a project may cluster its segments by: after four, groups of rows are smaller than what is read at once.
MAX_CLUSTER_COLUMNS: Final = 4

# Rows from which a segment is clustered. One of a row group is read whole, in whatever order its rows are.
MIN_CLUSTER_ROWS: Final = ROW_GROUP_ROWS + 1

# Patches that wait to be folded in; about 1 KiB each in memory.
MAX_PENDING_PATCHES: Final = 1_000_000
