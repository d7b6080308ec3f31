"""Rows of JSON into a builder: newline-delimited, each good row kept, each bad one refused alone.

A value may span lines (a pretty-printed document is one row). Where one fails behind its first line, that
line is bad and takes with it the lines up to the next that opens an object or array. What such failures
read in vain is bounded, after which a value must end on its line: the whole is linear in the payload.
"""

from libc.math cimport floor
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memchr, memset

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_free, buffer_u64
from tracestore._native.builder cimport (
    NONE,
    Builder,
    State,
    child_existing,
    node_enter,
    node_leave,
    push_bytes,
    push_i64,
    row_abort,
    row_begin,
    rows_truncate,
)
from tracestore._native.hashing cimport hash_bytes, hash_message
from tracestore._native.input_key cimport hash_json_value
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_fail,
    json_key,
    json_literal,
    json_open,
    json_separator,
    json_space,
    json_string,
)
from tracestore._native.json_shredder cimport shred_value
from tracestore._native.number cimport NUMBER_F64, NUMBER_I64, NumberKind, number_read
from tracestore._native.rejections cimport Rejections, reject, rejections_take
from tracestore._native.routing cimport Routing, same_text, text_of
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK, TS_ROW
from tracestore._native.tables cimport (
    DATASET_COLUMNS,
    DATASET_CREATED_NS,
    DATASET_DATASET_ID,
    DATASET_INPUT_KEY,
    DATASET_NODE_INPUT,
    DATASET_VARIANTS,
    DATASET_VERSION,
    LOG_COLUMNS,
    LOG_DROPPED_ATTRIBUTES,
    LOG_FLAGS,
    LOG_OBSERVED_TIME_NS,
    LOG_RESOURCE_DROPPED,
    LOG_SCOPE_DROPPED,
    LOG_SEVERITY_NUMBER,
    LOG_SPAN_ID,

    LOG_TIME_NS,
    LOG_TRACE_ID,
    LOG_VARIANTS,
    SPAN_COLUMNS,
    SPAN_DROPPED_LINKS,
    SPAN_DURATION,
    SPAN_DURATION_NS,
    SPAN_END_TIME,
    SPAN_EXPERIMENT,
    SPAN_FLAGS,
    SPAN_INPUT_KEY,

    SPAN_KIND,
    SPAN_NAME,
    SPAN_NODE_INPUT,
    SPAN_PARENT_SPAN_ID,
    SPAN_PROJECT,
    SPAN_RESOURCE_DROPPED,
    SPAN_SCOPE_DROPPED,
    SPAN_SPAN_ID,
    SPAN_START_NS,
    SPAN_START_TIME,
    SPAN_STATUS_CODE,
    SPAN_TRACE_ID,
    SPAN_VARIANTS,
)
from tracestore._native.text cimport hex_value
from tracestore._native.timestamp cimport read_timestamp


cdef enum:
    TABLE_FREE = 0
    TABLE_SPANS = 1
    TABLE_LOGS = 2
    TABLE_DATASETS = 3
    # Bytes read in vain behind the first line of bad rows before values must end on their line.
    RETRY_BYTES = 1_048_576


cdef struct Times:
    # What a row said of its times; `has` flags which.
    int64_t start_ns
    int64_t end_ns
    int64_t duration_ns
    bint has_start
    bint has_end
    bint has_duration


cdef struct RowReader:
    State* s
    JsonCursor j
    Routing routing
    Times times
    Buffer pairs
    Buffer project
    int table
    uint32_t variants
    uint32_t columns
    # The variant whose hash is a column, and that column; node 0 is no variant.
    uint32_t input_node
    int input_key_column


# --- columns of one row -----------------------------------------------------------------------------


cdef inline bint given(RowReader* r, int column) noexcept nogil:
    # Whether the row under way has a value in a stored column.
    cdef uint32_t node = 1 + r.variants + <uint32_t>column
    return r.s.nodes[node].seen == r.s.serial and r.s.nodes[node].log_end > r.s.nodes[node].log_start


cdef inline int default_i64(RowReader* r, int column, int64_t value) noexcept nogil:
    return TS_OK if given(r, column) else push_i64(r.s, column, value)


cdef inline int default_text(RowReader* r, int column, const char* text, size_t size) noexcept nogil:
    return TS_OK if given(r, column) else push_bytes(r.s, column, text, size)


cdef inline int row_fail(RowReader* r, const char* reason) noexcept nogil:
    r.j.reason = reason
    return TS_ROW


cdef int read_i64(RowReader* r, int64_t* out) noexcept nogil:
    cdef const uint8_t* next
    cdef double f64
    if r.j.p >= r.j.end:
        return json_fail(&r.j, b"unexpected end; want a value")
    if number_read(r.j.p, r.j.end, &next, out, &f64) != NUMBER_I64:
        return row_fail(r, b"a whole number of 64 bits is expected in this column")
    r.j.p = next
    return TS_OK


cdef int read_time(RowReader* r, int64_t* out) noexcept nogil:
    cdef Text text
    cdef int status
    if r.j.p >= r.j.end or r.j.p[0] != c'"':
        return row_fail(r, b"a time is expected as ISO 8601 text")
    status = json_string(&r.j, &r.s.scratch, &text)
    if status != TS_OK:
        return status
    if not read_timestamp(text.p, text.size, out):
        return row_fail(r, b"not an ISO 8601 time between the years 1678 and 2261")
    return TS_OK


cdef int read_duration(RowReader* r) noexcept nogil:
    # Seconds, whole or not.
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64
    cdef NumberKind kind
    if r.j.p >= r.j.end:
        return json_fail(&r.j, b"unexpected end; want a value")
    kind = number_read(r.j.p, r.j.end, &next, &i64, &f64)
    if kind == NUMBER_I64:
        f64 = <double>i64
    elif kind != NUMBER_F64:
        return row_fail(r, b"a duration is expected as a number of seconds")
    f64 = floor(f64 * 1e9 + 0.5)
    if not (-9.2e18 < f64 < 9.2e18):
        return row_fail(r, b"a duration beyond 292 years")
    r.times.duration_ns = <int64_t>f64
    r.times.has_duration = 1
    r.j.p = next
    return TS_OK


cdef int read_id(RowReader* r, int column, size_t digits) noexcept nogil:
    # A hex id of fixed length, stored in lower case; all zeros is no id.
    cdef Text text
    cdef uint8_t lower[32]
    cdef size_t i
    cdef bint nonzero = 0
    cdef int status
    if r.j.p[0] != c'"':
        return row_fail(r, b"an id must be text")
    status = json_string(&r.j, &r.s.scratch, &text)
    if status != TS_OK:
        return status
    if text.size != digits:
        return row_fail(r, b"an id must be hex: 32 digits for a trace, 16 for a span")
    for i in range(digits):
        if hex_value(text.p[i]) < 0:
            return row_fail(r, b"an id must be hex: 32 digits for a trace, 16 for a span")
        nonzero |= text.p[i] != c'0'
        lower[i] = text.p[i] | 0x20 if text.p[i] > c'9' else text.p[i]
    if not nonzero:
        return row_fail(r, b"an id must not be all zeros")
    return push_bytes(r.s, column, lower, digits)


cdef int read_text(RowReader* r, int column) noexcept nogil:
    cdef Text text
    cdef int status
    if r.j.p[0] != c'"':
        return row_fail(r, b"text is expected in this column")
    status = json_string(&r.j, &r.s.scratch, &text)
    if status != TS_OK:
        return status
    if column == SPAN_PROJECT:
        if text.size == 0:
            return row_fail(r, b"a project's name must not be empty")
        r.project.size = 0
        if buffer_bytes(&r.project, text.p, text.size) != 0:
            return TS_NO_MEMORY
    return push_bytes(r.s, column, text.p, text.size)


cdef int read_span_column(RowReader* r, int column) noexcept nogil:
    cdef int64_t value
    cdef int status
    if column == SPAN_TRACE_ID:
        return read_id(r, column, 32)
    if column == SPAN_SPAN_ID or column == SPAN_PARENT_SPAN_ID:
        return read_id(r, column, 16)
    if (
        column == SPAN_START_NS
        or column == SPAN_DURATION_NS
        or SPAN_FLAGS <= column <= SPAN_DROPPED_LINKS
        or SPAN_RESOURCE_DROPPED <= column <= SPAN_INPUT_KEY
    ):
        status = read_i64(r, &value)
        if status != TS_OK:
            return status
        if column == SPAN_START_NS:
            r.times.start_ns = value
            r.times.has_start = 1
            return TS_OK
        if column == SPAN_DURATION_NS:
            r.times.duration_ns = value
            r.times.has_duration = 1
            return TS_OK
        if column == SPAN_INPUT_KEY:
            # Follows from `input`.
            return TS_OK
        return push_i64(r.s, column, value)
    return read_text(r, column)


cdef int read_log_column(RowReader* r, int column) noexcept nogil:
    cdef int64_t value
    cdef int status
    if column == LOG_TRACE_ID:
        return read_id(r, column, 32)
    if column == LOG_SPAN_ID:
        return read_id(r, column, 16)
    if (
        LOG_TIME_NS <= column <= LOG_SEVERITY_NUMBER
        or LOG_FLAGS <= column <= LOG_DROPPED_ATTRIBUTES
        or LOG_RESOURCE_DROPPED <= column <= LOG_SCOPE_DROPPED
    ):
        status = read_i64(r, &value)
        if status != TS_OK:
            return status
        if column == LOG_TIME_NS:
            r.times.start_ns = value
            r.times.has_start = 1
            return TS_OK
        return push_i64(r.s, column, value)
    return read_text(r, column)


cdef int read_dataset_column(RowReader* r, int column) noexcept nogil:
    cdef int64_t value
    cdef int status
    if column < DATASET_VERSION:
        return read_text(r, column)
    status = read_i64(r, &value)
    if status != TS_OK or column == DATASET_INPUT_KEY:
        # The key follows from `input`.
        return status
    return push_i64(r.s, column, value)


cdef int read_computed_column(RowReader* r, int column) noexcept nogil:
    cdef bint value
    if column == SPAN_START_TIME:
        r.times.has_start = 1
        return read_time(r, &r.times.start_ns)
    if column == SPAN_END_TIME:
        r.times.has_end = 1
        return read_time(r, &r.times.end_ns)
    if column == SPAN_DURATION:
        return read_duration(r)
    # is_root follows from parent_span_id.
    value = r.j.p[0] == c't'
    return json_literal(&r.j, b"true", 4) if value else json_literal(&r.j, b"false", 5)


cdef int read_member(RowReader* r, uint32_t node) noexcept nogil:
    # The value of one top-level key, by what its node number says it is.
    cdef int column = <int>node - 1 - <int>r.variants
    cdef const uint8_t* start
    cdef uint64_t key
    cdef int status
    if r.j.p >= r.j.end:
        return json_fail(&r.j, b"unexpected end; want a value")
    if column < 0:
        start = r.j.p
        status = shred_value(r.s, &r.j, node)
        if status == TS_OK and r.input_node and node == r.input_node:
            r.j.p = start
            status = hash_json_value(&r.j, &r.pairs, &r.s.scratch, &key)
            if status == TS_OK:
                status = push_i64(r.s, r.input_key_column, <int64_t>key)
        return status
    if r.j.p[0] == c'n':
        return json_literal(&r.j, b"null", 4)
    if r.table == TABLE_DATASETS:
        return read_dataset_column(r, column)
    if column >= <int>r.columns:
        return read_computed_column(r, column - <int>r.columns)
    if r.table == TABLE_SPANS:
        return read_span_column(r, column)
    return read_log_column(r, column)


cdef int finish_span(RowReader* r) noexcept nogil:
    cdef int column
    cdef int status = TS_OK
    if not given(r, SPAN_TRACE_ID) or not given(r, SPAN_SPAN_ID):
        return row_fail(r, b"trace_id and span_id are missing")
    if not r.times.has_start:
        return row_fail(r, b"start_time (or start_ns) is missing")
    if r.times.has_end and not r.times.has_duration:
        r.times.duration_ns = r.times.end_ns - r.times.start_ns
        r.times.has_duration = 1
    status |= push_i64(r.s, SPAN_START_NS, r.times.start_ns)
    if r.times.has_duration:
        status |= push_i64(r.s, SPAN_DURATION_NS, r.times.duration_ns)
    status |= default_text(r, SPAN_NAME, b"", 0)
    status |= default_text(r, SPAN_KIND, b"UNSPECIFIED", 11)
    status |= default_text(r, SPAN_STATUS_CODE, b"UNSET", 5)
    for column in range(SPAN_FLAGS, SPAN_DROPPED_LINKS + 1):
        status |= default_i64(r, column, 0)
    for column in range(SPAN_RESOURCE_DROPPED, SPAN_SCOPE_DROPPED + 1):
        status |= default_i64(r, column, 0)
    return TS_NO_MEMORY if status else TS_OK


cdef int finish_log(RowReader* r) noexcept nogil:
    cdef int status = TS_OK
    if not r.times.has_start:
        return row_fail(r, b"time (or time_ns) is missing")
    status |= push_i64(r.s, LOG_TIME_NS, r.times.start_ns)
    status |= default_i64(r, LOG_OBSERVED_TIME_NS, r.times.start_ns)
    status |= default_i64(r, LOG_SEVERITY_NUMBER, 0)
    status |= default_i64(r, LOG_FLAGS, 0)
    status |= default_i64(r, LOG_DROPPED_ATTRIBUTES, 0)
    status |= default_i64(r, LOG_RESOURCE_DROPPED, 0)
    status |= default_i64(r, LOG_SCOPE_DROPPED, 0)
    return TS_NO_MEMORY if status else TS_OK


cdef int finish_dataset_row(RowReader* r) noexcept nogil:
    cdef int column
    for column in range(DATASET_DATASET_ID, DATASET_CREATED_NS + 1):
        if not given(r, column):
            return row_fail(r, b"dataset_id, id, version or created_ns is missing")
    return TS_OK


cdef int finish_row(RowReader* r, bint* wanted) noexcept nogil:
    # Defaults and routing; *wanted is 0 where the row belongs to another project. Every table begins with project,
    # spans and logs go on with experiment, so the columns of spans serve for all.
    cdef Routing* to = &r.routing
    cdef Text project
    cdef int status = TS_OK
    wanted[0] = 1
    if not given(r, SPAN_PROJECT):
        r.project.size = 0
        status |= buffer_bytes(&r.project, to.project.p, to.project.size)
        status |= push_bytes(r.s, SPAN_PROJECT, to.project.p, to.project.size)
    if to.experiment.p != NULL and r.table != TABLE_DATASETS and not given(r, SPAN_EXPERIMENT):
        status |= push_bytes(r.s, SPAN_EXPERIMENT, to.experiment.p, to.experiment.size)
    if status:
        return TS_NO_MEMORY
    if to.only.p != NULL:
        project.p = r.project.data
        project.size = r.project.size
        wanted[0] = same_text(&project, &to.only)
    if r.table == TABLE_DATASETS:
        return finish_dataset_row(r)
    return finish_span(r) if r.table == TABLE_SPANS else finish_log(r)


cdef int read_table_row(RowReader* r, bint* wanted) noexcept nogil:
    cdef JsonCursor* j = &r.j
    cdef Text key
    cdef uint32_t node
    cdef bint more = 1
    cdef int status
    if j.p >= j.end or j.p[0] != c'{':
        return row_fail(r, b"expected an object: its keys are the table's columns")
    memset(&r.times, 0, sizeof(Times))
    status = json_open(j)
    if status != TS_OK:
        return status
    if j.p < j.end and j.p[0] == c'}':
        j.p += 1
        more = 0
    while more:
        status = json_key(j, &r.s.scratch_key, &key)
        if status != TS_OK:
            return status
        node = child_existing(r.s, 0, key.p, key.size)
        if node == NONE:
            return row_fail(r, b"unknown column; free keys belong under attributes or metadata")
        node_enter(r.s, node)
        status = read_member(r, node)
        node_leave(r.s, node)
        if status == TS_OK:
            status = json_separator(j, c'}', &more)
        if status != TS_OK:
            return status
    return finish_row(r, wanted)


# --- rows of one payload ----------------------------------------------------------------------------


cdef int read_row(RowReader* r, bint* wanted) noexcept nogil:
    # One row and the end of its line.
    cdef int status
    wanted[0] = 1
    r.j.depth = 0
    if r.table == TABLE_FREE:
        node_enter(r.s, 0)
        status = shred_value(r.s, &r.j, 0)
        node_leave(r.s, 0)
    else:
        status = read_table_row(r, wanted)
    if status != TS_OK:
        return status
    while r.j.p < r.j.end and (r.j.p[0] == c' ' or r.j.p[0] == c'\t' or r.j.p[0] == c'\r'):
        r.j.p += 1
    if r.j.p < r.j.end and r.j.p[0] != c'\n':
        return json_fail(&r.j, b"expected a line feed after the value")
    return TS_OK


cdef const uint8_t* line_end(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef const uint8_t* found = <const uint8_t*>memchr(p, c'\n', end - p) if p < end else NULL
    return end if found == NULL else found


cdef const uint8_t* next_opening_line(const uint8_t* p, const uint8_t* end) noexcept nogil:
    # The start of the first line from p on whose first byte opens an object or array.
    cdef const uint8_t* first
    while p < end:
        first = p
        while first < end and (first[0] == c' ' or first[0] == c'\t'):
            first += 1
        if first < end and (first[0] == c'{' or first[0] == c'['):
            return p
        p = line_end(first, end)
        if p < end:
            p += 1
    return end


cdef int append_rows(RowReader* r, const uint8_t* base, const uint8_t* end, Rejections* refused) noexcept nogil:
    cdef JsonCursor* j = &r.j
    cdef const uint8_t* start
    cdef const uint8_t* first_line
    cdef uint64_t ordinal = 0
    cdef uint64_t retries = RETRY_BYTES + <uint64_t>(end - base)
    cdef uint64_t vain
    cdef Text* experiment = &r.routing.experiment
    cdef uint64_t seed = hash_bytes(experiment.p, experiment.size if experiment.p != NULL else 0, 0)
    cdef bint wanted
    cdef int status
    j.p = base
    while True:
        j.end = end
        json_space(j)
        if j.p >= end:
            return TS_OK
        if r.s.rows == NONE - 1:
            return TS_NO_MEMORY
        start = j.p
        first_line = line_end(start, end)
        if retries == 0:
            j.end = first_line
        row_begin(r.s)
        status = read_row(r, &wanted)
        if status == TS_OK and wanted:
            if r.table == TABLE_SPANS and buffer_u64(&r.s.digests, hash_message(start, j.p - start, seed)) != 0:
                return TS_NO_MEMORY
            r.s.rows += 1
        elif status == TS_OK:
            row_abort(r.s)
        elif status == TS_NO_MEMORY:
            return status
        else:
            row_abort(r.s)
            if reject(refused, ordinal, j.p - base, j.reason) != 0:
                return TS_NO_MEMORY
            if j.p > first_line and r.j.depth:
                vain = j.p - first_line
                retries -= vain if vain < retries else retries
                j.p = next_opening_line(first_line + 1, end)
            else:
                j.p = line_end(j.p, end)
        ordinal += 1


def append_json(Builder builder not None, const uint8_t[::1] payload not None, project, experiment, only_project):
    """Appends rows of newline-delimited JSON and returns (rows, rejections, rejected, repaired strings).

    Args:
        builder: free rows, or a table whose top-level keys are its columns.
        payload: UTF-8 bytes; a byte order mark at the start is skipped.
        project, experiment: bytes or None, for rows of a table that name none.
        only_project: bytes or None; keeps only the rows of that project.

    Raises:
        MemoryError: and leaves the builder as it was.
    """
    cdef RowReader r
    cdef Rejections refused
    cdef const uint8_t* base
    cdef const uint8_t* end
    cdef uint32_t before = builder.state.rows
    cdef int status
    cdef bytes project_bytes = project if project is not None else b"default"
    cdef bytes experiment_bytes = experiment
    cdef bytes only_bytes = only_project
    memset(&r, 0, sizeof(r))
    memset(&refused, 0, sizeof(refused))
    if payload.shape[0] == 0:
        return 0, [], 0, 0
    r.s = &builder.state
    text_of(project_bytes, &r.routing.project)
    text_of(experiment_bytes, &r.routing.experiment)
    text_of(only_bytes, &r.routing.only)
    if builder.spec.name == "spans":
        r.table = TABLE_SPANS
        r.variants = SPAN_VARIANTS
        r.columns = SPAN_COLUMNS
        r.input_node = SPAN_NODE_INPUT
        r.input_key_column = SPAN_INPUT_KEY
    elif builder.spec.name == "logs":
        r.table = TABLE_LOGS
        r.variants = LOG_VARIANTS
        r.columns = LOG_COLUMNS
    elif builder.spec.name == "dataset_rows":
        r.table = TABLE_DATASETS
        r.variants = DATASET_VARIANTS
        r.columns = DATASET_COLUMNS
        r.input_node = DATASET_NODE_INPUT
        r.input_key_column = DATASET_INPUT_KEY
    base = &payload[0]
    end = base + payload.shape[0]
    builder.enter()
    try:
        with nogil:
            if end - base >= 3 and base[0] == 0xEF and base[1] == 0xBB and base[2] == 0xBF:
                base += 3
            status = append_rows(&r, base, end, &refused)
            if status != TS_OK:
                rows_truncate(r.s, before)
            r.s.repaired_strings += r.j.repaired
            buffer_free(&r.pairs)
            buffer_free(&r.project)
    finally:
        builder.leave()
    rejected = refused.count
    rejections = rejections_take(&refused)
    if status == TS_NO_MEMORY:
        raise MemoryError
    return builder.state.rows - before, rejections, rejected, r.j.repaired
