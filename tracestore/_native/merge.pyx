"""Shredded tables back into a builder: compaction, and the first half of unshredding.

Columns go in one after the other, each a plain copy; `_overflow` goes in row by row as the JSON it is. Linear
in the values. What cannot be a shredded table is refused and leaves the builder as it was: rows of a leaf
must come in order, since all else relies on it.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.math cimport INFINITY, NAN
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcmp, memset

from tracestore._native.arrow cimport ArrowArray
from tracestore._native.buffer cimport Buffer, buffer_f64, buffer_free, buffer_i64, buffer_u8, buffer_u32
from tracestore._native.builder cimport (
    LEAF_BIN,
    LEAF_BOOL,
    LEAF_BOOL_LIST,
    LEAF_F64,
    LEAF_F64_LIST,
    LEAF_I64,
    LEAF_I64_LIST,
    LEAF_JSON,
    LEAF_STR,
    LEAF_STR_LIST,
    NONE,
    Builder,
    Dictionary,
    Leaf,
    State,
    dictionary_free,
    dictionary_intern_bytes,
    last_end,
    leaf_of,
    list_commit,
    list_cut,
    list_items,
    list_text_item,
    node_enter,
    node_leave,
    push_bool,
    push_bytes,
    push_f64,
    push_i64,
    row_begin,
    rows_truncate,
    spill_named,
)
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_copy_value,
    json_fail,
    json_key,
    json_literal,
    json_open,
    json_separator,
    json_skip_value,
    json_string,
)
from tracestore._native.json_shredder cimport shred_value
from tracestore._native.leaf_names cimport node_of_name
from tracestore._native.number cimport NUMBER_F64, NUMBER_I64, number_read
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK, TS_SYNTAX
from tracestore._native.text cimport read_base64

from tracestore.errors import LimitExceededError, PayloadError

cdef enum:
    # Names of `_overflow` remembered with their node and type, 32 bits each.
    NAME_WORDS = 2


cdef struct View:
    # One Arrow array: values behind an offset, with or without a validity bitmap and a dictionary of texts.
    const ArrowArray* array
    const ArrowArray* texts
    const uint8_t* validity
    int64_t offset
    int64_t length


cdef void view_of(const ArrowArray* array, View* view) noexcept nogil:
    view.array = array
    view.texts = array if array.dictionary == NULL else array.dictionary
    view.validity = <const uint8_t*>array.buffers[0] if array.null_count != 0 else NULL
    view.offset = array.offset
    view.length = array.length


cdef inline bint bit(const uint8_t* bits, int64_t i) noexcept nogil:
    return (bits[i >> 3] >> (i & 7)) & 1


cdef inline bint valid(const View* view, int64_t i) noexcept nogil:
    return view.validity == NULL or bit(view.validity, view.offset + i)


cdef inline int64_t word(const View* view, int64_t i) noexcept nogil:
    return (<const int64_t*>view.array.buffers[1])[view.offset + i]


cdef inline double real(const View* view, int64_t i) noexcept nogil:
    return (<const double*>view.array.buffers[1])[view.offset + i]


cdef inline void text_at(const View* view, int64_t i, Text* out) noexcept nogil:
    # 32-bit offsets; where the array is a dictionary's indices, the text they point to.
    cdef const int32_t* offsets = <const int32_t*>view.texts.buffers[1]
    cdef int64_t at = view.offset + i
    if view.array.dictionary != NULL:
        at = view.texts.offset + (<const int32_t*>view.array.buffers[1])[at]
    out.p = <const uint8_t*>view.texts.buffers[2] + offsets[at]
    out.size = offsets[at + 1] - offsets[at]


cdef inline int in_order(State* s, uint32_t at) noexcept nogil:
    # Rows of a leaf only grow; a second value of one row, or a row before, is no shredded table.
    cdef Leaf* leaf = &s.leaves[at]
    cdef uint32_t covered
    if leaf.count == 0:
        return TS_OK
    covered = last_end(&leaf.rows)
    if leaf.runs.size:
        covered += last_end(&leaf.runs) - 1
    return TS_OK if covered < s.rows else TS_SYNTAX


# --- columns ----------------------------------------------------------------------------------------


cdef int push_items(State* s, uint32_t at, const View* list, const View* items, int64_t i) noexcept nogil:
    cdef const int32_t* offsets = <const int32_t*>list.array.buffers[1] + list.offset
    cdef int type = s.leaves[at].type
    cdef int64_t item
    cdef Text text
    cdef int status = TS_OK
    for item in range(offsets[i], offsets[i + 1]):
        if not valid(items, item):
            status = TS_SYNTAX
        elif type == LEAF_I64_LIST:
            status = buffer_i64(&s.leaves[at].values, word(items, item))
        elif type == LEAF_F64_LIST:
            status = buffer_f64(&s.leaves[at].values, real(items, item))
        elif type == LEAF_BOOL_LIST:
            status = buffer_u8(&s.leaves[at].values, bit(<const uint8_t*>items.array.buffers[1], items.offset + item))
        else:
            text_at(items, item, &text)
            status = list_text_item(s, at, text.p, text.size)
        if status != TS_OK:
            return status
    return list_commit(s, at)


cdef int push_value(State* s, uint32_t at, const View* view, int64_t i) noexcept nogil:
    cdef int type = s.leaves[at].type
    cdef Text text
    if type == LEAF_I64:
        return push_i64(s, at, word(view, i))
    if type == LEAF_F64:
        return push_f64(s, at, real(view, i))
    if type == LEAF_BOOL:
        return push_bool(s, at, bit(<const uint8_t*>view.array.buffers[1], view.offset + i))
    text_at(view, i, &text)
    return push_bytes(s, at, text.p, text.size)


cdef int append_column(State* s, uint32_t at, const ArrowArray* array, uint32_t first_row) noexcept nogil:
    cdef View view, items
    cdef bint list = s.leaves[at].type >= LEAF_I64_LIST
    cdef int64_t i
    cdef uint32_t mark
    cdef int status = TS_OK
    view_of(array, &view)
    items = view
    if list:
        view_of(array.children[0], &items)
    for i in range(view.length):
        if not valid(&view, i):
            continue
        s.rows = first_row + <uint32_t>i
        s.log.size = 0
        status = in_order(s, at)
        if status != TS_OK:
            return status
        if list:
            mark = list_items(&s.leaves[at])
            status = push_items(s, at, &view, &items, i)
            if status != TS_OK:
                list_cut(&s.leaves[at], mark)
        else:
            status = push_value(s, at, &view, i)
        if status != TS_OK:
            return status
    return TS_OK


# --- _overflow --------------------------------------------------------------------------------------


cdef struct Names:
    # Names met so far, each with its node and leaf type.
    Dictionary seen
    Buffer known
    Buffer scratch
    Buffer binary
    # Only names under this path are wanted; p is NULL for all.
    Text under


cdef inline bint is_under(const Text* name, const Text* path) noexcept nogil:
    # Whether a leaf name lies at or below a path's text: the path ends there or goes on with a key.
    if path.p == NULL or path.size == 0:
        return 1
    if name.size <= path.size or memcmp(name.p, path.p, path.size) != 0:
        return 0
    return name.p[path.size] == c':' or name.p[path.size] == c'.'


cdef int resolve(State* s, Names* names, const Text* name, uint32_t* node, int* type) noexcept nogil:
    cdef uint32_t before = names.seen.count
    cdef uint32_t index
    cdef int status = dictionary_intern_bytes(&names.seen, name.p, name.size, s.seed, &index)
    if status != TS_OK:
        return status
    if index == before:
        status = node_of_name(s, name.p, name.size, &names.scratch, node, type)
        if status != TS_OK:
            return TS_SYNTAX if status != TS_NO_MEMORY else status
        if buffer_u32(&names.known, node[0]) != 0 or buffer_u32(&names.known, <uint32_t>type[0]) != 0:
            return TS_NO_MEMORY
        return TS_OK
    node[0] = (<uint32_t*>names.known.data)[NAME_WORDS * index]
    type[0] = <int>(<uint32_t*>names.known.data)[NAME_WORDS * index + 1]
    return TS_OK


cdef int read_real(JsonCursor* j, Buffer* scratch, double* out) noexcept nogil:
    # A double as `_overflow` spells it: with a point or exponent, or a word in quotes.
    cdef const uint8_t* next
    cdef int64_t i64
    cdef Text text
    cdef int status
    if j.p < j.end and j.p[0] == c'"':
        status = json_string(j, scratch, &text)
        if status != TS_OK:
            return status
        out[0] = NAN
        if text.size == 8:
            out[0] = INFINITY
        elif text.size == 9:
            out[0] = -INFINITY
        return TS_OK
    if number_read(j.p, j.end, &next, &i64, out) != NUMBER_F64:
        return json_fail(j, b"a double is expected")
    j.p = next
    return TS_OK


cdef int overflow_item(State* s, JsonCursor* j, Names* names, uint32_t at) noexcept nogil:
    # One item of a list.
    cdef int type = s.leaves[at].type
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64 = 0
    cdef Text text
    cdef int status
    if type == LEAF_I64_LIST:
        if number_read(j.p, j.end, &next, &i64, &f64) != NUMBER_I64:
            return json_fail(j, b"an integer is expected")
        j.p = next
        return buffer_i64(&s.leaves[at].values, i64)
    if type == LEAF_F64_LIST:
        status = read_real(j, &names.scratch, &f64)
        if status != TS_OK:
            return status
        return buffer_f64(&s.leaves[at].values, f64)
    if type == LEAF_BOOL_LIST:
        i64 = j.p < j.end and j.p[0] == c't'
        status = json_literal(j, b"true", 4) if i64 else json_literal(j, b"false", 5)
        if status != TS_OK:
            return status
        return buffer_u8(&s.leaves[at].values, i64 != 0)
    if type == LEAF_STR_LIST:
        if j.p >= j.end or j.p[0] != c'"':
            return json_fail(j, b"text is expected")
        status = json_string(j, &names.scratch, &text)
        if status != TS_OK:
            return status
        return list_text_item(s, at, text.p, text.size)
    names.scratch.size = 0
    status = json_copy_value(j, &names.scratch)
    if status != TS_OK:
        return status
    return list_text_item(s, at, names.scratch.data, names.scratch.size)


cdef int overflow_list(State* s, JsonCursor* j, Names* names, uint32_t at) noexcept nogil:
    cdef uint32_t mark = list_items(&s.leaves[at])
    cdef bint more = 1
    cdef int status
    if j.p >= j.end or j.p[0] != c'[':
        return json_fail(j, b"an array is expected")
    status = json_open(j)
    if status == TS_OK and j.p < j.end and j.p[0] == c']':
        j.p += 1
        more = 0
    while more and status == TS_OK:
        status = overflow_item(s, j, names, at)
        if status == TS_OK:
            status = json_separator(j, c']', &more)
    if status != TS_OK:
        list_cut(&s.leaves[at], mark)
        return status
    j.depth -= 1
    return list_commit(s, at)


cdef int overflow_text(State* s, JsonCursor* j, Names* names, uint32_t at) noexcept nogil:
    # Text of a str leaf, base64 of a bin leaf.
    cdef Text text
    cdef int status
    if j.p >= j.end or j.p[0] != c'"':
        return json_fail(j, b"text is expected")
    status = json_string(j, &names.scratch, &text)
    if status != TS_OK:
        return status
    if s.leaves[at].type == LEAF_STR:
        return push_bytes(s, at, text.p, text.size)
    names.binary.size = 0
    status = read_base64(&names.binary, text.p, text.size)
    if status == 1:
        return json_fail(j, b"base64 is expected")
    if status != TS_OK:
        return status
    return push_bytes(s, at, names.binary.data, names.binary.size)


cdef int overflow_value(State* s, JsonCursor* j, Names* names, uint32_t node, int type) noexcept nogil:
    cdef const uint8_t* next
    cdef int64_t i64
    cdef double f64 = 0
    cdef uint32_t at
    cdef int status
    if type == LEAF_JSON:
        # Also what a path limit once spilled: it is shredded again, now that there is room. A name that comes
        # twice was a key that came twice: the last counts.
        node_enter(s, node)
        status = shred_value(s, j, node)
        node_leave(s, node)
        return status
    status = leaf_of(s, node, type, &at)
    if status == TS_OK:
        status = in_order(s, at)
    if status != TS_OK:
        return status
    if type == LEAF_I64:
        if number_read(j.p, j.end, &next, &i64, &f64) != NUMBER_I64:
            return json_fail(j, b"an integer is expected")
        j.p = next
        return push_i64(s, at, i64)
    if type == LEAF_F64:
        status = read_real(j, &names.scratch, &f64)
        return push_f64(s, at, f64) if status == TS_OK else status
    if type == LEAF_BOOL:
        i64 = j.p < j.end and j.p[0] == c't'
        status = json_literal(j, b"true", 4) if i64 else json_literal(j, b"false", 5)
        return push_bool(s, at, i64 != 0) if status == TS_OK else status
    if type == LEAF_STR or type == LEAF_BIN:
        return overflow_text(s, j, names, at)
    return overflow_list(s, j, names, at)


cdef int overflow_spilled(State* s, JsonCursor* j, const Text* name) noexcept nogil:
    # No room for the path here either: the text goes on as it is, under its name.
    cdef size_t size = name.size
    cdef int status
    while size and name.p[size - 1] != c':':
        size -= 1
    s.scratch.size = 0
    status = json_copy_value(j, &s.scratch)
    if status != TS_OK:
        return status
    return spill_named(s, name.p, size - 1, s.scratch.data, s.scratch.size)


cdef int overflow_row(State* s, JsonCursor* j, Names* names) noexcept nogil:
    cdef Text name
    cdef uint32_t node
    cdef bint more = 1
    cdef int type, status
    if j.p >= j.end or j.p[0] != c'{':
        return json_fail(j, b"an object is expected")
    status = json_open(j)
    if status != TS_OK:
        return status
    if j.p < j.end and j.p[0] == c'}':
        return TS_OK
    while more:
        status = json_key(j, &s.scratch_key, &name)
        if status != TS_OK:
            return status
        if not is_under(&name, &names.under):
            status = json_skip_value(j)
        else:
            status = resolve(s, names, &name, &node, &type)
            if status == TS_SYNTAX:
                j.reason = b"a key is no leaf column name"
            elif status == TS_OK and node == NONE:
                status = overflow_spilled(s, j, &name)
            elif status == TS_OK:
                status = overflow_value(s, j, names, node, type)
        if status == TS_OK:
            status = json_separator(j, c'}', &more)
        if status != TS_OK:
            return status
    return TS_OK


cdef int append_overflow(
    State* s, const ArrowArray* array, uint32_t first_row, Names* names, JsonCursor* j
) noexcept nogil:
    cdef View view
    cdef Text text
    cdef int64_t i
    cdef int status
    view_of(array, &view)
    for i in range(view.length):
        if not valid(&view, i):
            continue
        text_at(&view, i, &text)
        s.rows = first_row + <uint32_t>i
        row_begin(s)
        j.p = text.p
        j.end = text.p + text.size
        j.depth = 0
        status = overflow_row(s, j, names)
        if status != TS_OK:
            return status
    return TS_OK


def append_batch(Builder builder not None, batch, columns, under):
    """Appends the rows of one record batch of a shredded table and returns their number.

    Args:
        batch: whatever gives `__arrow_c_array__`; columns of the leaf types' Arrow types, text with 32-bit
            offsets or dictionary-encoded with 32-bit indices.
        columns: for each column of the batch: a stored column's position, a leaf column's name as bytes,
            or None to leave the column out; `_overflow` is b"_overflow".
        under: path text as bytes; takes only what lies below it. Empty for all.

    Raises:
        PayloadError: where the batch is no part of a shredded table; the builder is as it was.
        LimitExceededError: where a column would pass 2 GiB; likewise.
    """
    cdef State* s = &builder.state
    cdef uint32_t before = s.rows
    cdef uint32_t at, node
    cdef Names names
    cdef JsonCursor j
    cdef bytes name
    cdef bytes under_bytes = under
    cdef int type
    cdef int status = TS_OK
    cdef Py_ssize_t i
    _schema_capsule, array_capsule = batch.__arrow_c_array__()
    cdef ArrowArray* array = <ArrowArray*>PyCapsule_GetPointer(array_capsule, "arrow_array")
    if array.length + before >= <int64_t>NONE:
        raise LimitExceededError("cannot append rows: a shredder holds at most 2^32 - 2 rows")
    memset(&names, 0, sizeof(names))
    memset(&j, 0, sizeof(j))
    names.under.p = <const uint8_t*><const char*>under_bytes
    names.under.size = len(under_bytes)
    builder.enter()
    try:
        for i, column in enumerate(columns):
            if column is None:
                continue
            if column == b"_overflow":
                with nogil:
                    status = append_overflow(s, array.children[i], before, &names, &j)
            elif isinstance(column, int):
                at = column
                with nogil:
                    status = append_column(s, at, array.children[i], before)
            else:
                name = column
                status = node_of_name(s, <const uint8_t*><const char*>name, len(name), &names.scratch, &node, &type)
                if status == TS_OK and node == NONE:
                    status = TS_LIMIT
                if status == TS_OK:
                    status = leaf_of(s, node, type, &at)
                if status == TS_OK:
                    with nogil:
                        status = append_column(s, at, array.children[i], before)
            if status != TS_OK:
                break
        if status == TS_OK:
            s.rows = before + <uint32_t>array.length
            return array.length
        rows_truncate(s, before)
        if status == TS_NO_MEMORY:
            raise MemoryError
        if status == TS_LIMIT:
            raise LimitExceededError(f"cannot append column {column!r}: too many paths or more than 2 GiB")
        reason = (<bytes>j.reason).decode() if j.reason != NULL else "rows out of order, or a null in a list"
        raise PayloadError(f"column {column!r} is not part of a shredded table: {reason}", 0)
    finally:
        builder.leave()
        dictionary_free(&names.seen)
        buffer_free(&names.known)
        buffer_free(&names.scratch)
        buffer_free(&names.binary)
