"""Sparse leaves into dense Arrow columns. Linear in the rows that go out; values are copied in blocks where
their order is kept, gathered one by one where rows move or repeat.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from tracestore._native.arrow cimport (
    ArrowArray,
    ArrowSchema,
    array_buffer,
    array_free,
    array_new,
    schema_free,
    schema_new,
)
from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_u8, copy_bytes
from tracestore._native.builder cimport (
    LEAF_BIN,
    LEAF_BOOL,
    LEAF_BOOL_LIST,
    LEAF_F64,
    LEAF_F64_LIST,
    LEAF_I64,
    LEAF_I64_LIST,
    LEAF_JSON,
    LEAF_JSON_LIST,
    LEAF_STR,
    LEAF_STR_LIST,
    MAX_LEAF_BYTES,
    NONE,
    Dictionary,
    Leaf,
    State,
    dictionary_free,
    dictionary_intern_bytes,
)
from tracestore._native.number cimport write_f64, write_i64
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK
from tracestore._native.text cimport write_base64, write_json_string


cdef struct Picks:
    # For each output row its entry, NONE where the leaf has no value there. `block` where the picked entries are
    # [first, first + count), each once and in order.
    uint32_t* entry
    uint32_t rows
    uint32_t count
    uint32_t first
    bint block


cdef uint32_t first_entry(const Leaf* leaf, uint32_t row) noexcept nogil:
    cdef const uint32_t* rows = <const uint32_t*>leaf.rows.data
    cdef uint32_t low = 0
    cdef uint32_t high = leaf.count
    cdef uint32_t middle
    while low < high:
        middle = low + (high - low) // 2
        if rows[middle] + run_of(leaf, middle) <= row:
            low = middle + 1
        else:
            high = middle
    return low


cdef uint32_t leaf_rows(const Leaf* leaf, const RowMap* map) noexcept nogil:
    cdef const uint32_t* rows = <const uint32_t*>leaf.rows.data
    cdef uint32_t entry = first_entry(leaf, map.start)
    cdef uint32_t total = 0
    cdef uint32_t row
    if map.to == NULL and leaf.runs.size == 0:
        return first_entry(leaf, map.stop) - entry
    while entry < leaf.count and rows[entry] < map.stop:
        for row in range(rows[entry], rows[entry] + run_of(leaf, entry)):
            total += output_row(map, row) >= 0
        entry += 1
    return total


cdef int picks_of(const Leaf* leaf, const RowMap* map, Picks* picks) noexcept nogil:
    cdef const uint32_t* rows = <const uint32_t*>leaf.rows.data
    cdef uint32_t entry = first_entry(leaf, map.start)
    cdef uint32_t row
    cdef int32_t to
    picks.rows = map.rows
    picks.count = 0
    picks.first = entry
    picks.block = map.to == NULL and leaf.runs.size == 0
    picks.entry = <uint32_t*>malloc(4 * <size_t>map.rows + 4)
    if picks.entry == NULL:
        return TS_NO_MEMORY
    memset(picks.entry, 0xFF, 4 * <size_t>map.rows)
    while entry < leaf.count and rows[entry] < map.stop:
        for row in range(rows[entry], rows[entry] + run_of(leaf, entry)):
            to = output_row(map, row)
            if to >= 0:
                picks.entry[to] = entry
                picks.count += 1
        entry += 1
    return TS_OK


cdef int set_validity(ArrowArray* array, const Picks* picks) noexcept nogil:
    cdef uint8_t* bits
    cdef uint32_t i
    array.null_count = picks.rows - picks.count
    if array.null_count == 0:
        return TS_OK
    bits = <uint8_t*>array_buffer(array, 0, (picks.rows + 7) // 8)
    if bits == NULL:
        return TS_NO_MEMORY
    for i in range(picks.rows):
        bits[i >> 3] |= (picks.entry[i] != NONE) << (i & 7)
    return TS_OK


cdef inline uint32_t start_of(const Buffer* ends, uint32_t entry) noexcept nogil:
    return (<const uint32_t*>ends.data)[entry - 1] if entry else 0


cdef inline uint32_t end_of(const Buffer* ends, uint32_t entry) noexcept nogil:
    return (<const uint32_t*>ends.data)[entry]


cdef ArrowArray* words_column(const Leaf* leaf, const Picks* picks) noexcept nogil:
    # int64 and double alike: 8 bytes an entry.
    cdef ArrowArray* array = array_new(picks.rows, 2, 0)
    cdef const uint64_t* values = <const uint64_t*>leaf.values.data
    cdef uint64_t* to
    cdef uint32_t i
    if array == NULL:
        return NULL
    to = <uint64_t*>array_buffer(array, 1, 8 * <size_t>picks.rows)
    if to == NULL or set_validity(array, picks) != 0:
        array_free(array)
        return NULL
    if picks.block and picks.count == picks.rows:
        copy_bytes(to, values + picks.first, 8 * <size_t>picks.rows)
        return array
    for i in range(picks.rows):
        if picks.entry[i] != NONE:
            to[i] = values[picks.entry[i]]
    return array


cdef ArrowArray* bits_column(const Leaf* leaf, const Picks* picks) noexcept nogil:
    cdef ArrowArray* array = array_new(picks.rows, 2, 0)
    cdef uint8_t* to
    cdef uint32_t i
    if array == NULL:
        return NULL
    to = <uint8_t*>array_buffer(array, 1, (picks.rows + 7) // 8)
    if to == NULL or set_validity(array, picks) != 0:
        array_free(array)
        return NULL
    for i in range(picks.rows):
        if picks.entry[i] != NONE and leaf.values.data[picks.entry[i]]:
            to[i >> 3] |= <uint8_t>(1 << (i & 7))
    return array


cdef int64_t set_offsets(const Buffer* ends, const Picks* picks, int32_t* offsets) noexcept nogil:
    # Offsets of the picked spans laid end to end; returns their sum, -1 past Arrow's bound.
    cdef int64_t total = 0
    cdef uint32_t i, entry
    offsets[0] = 0
    for i in range(picks.rows):
        entry = picks.entry[i]
        if entry != NONE:
            total += end_of(ends, entry) - start_of(ends, entry)
            if total > MAX_LEAF_BYTES:
                return -1
        offsets[i + 1] = <int32_t>total
    return total


cdef ArrowArray* text_column(const Leaf* leaf, const Picks* picks, int* status) noexcept nogil:
    cdef ArrowArray* array = array_new(picks.rows, 3, 0)
    cdef int32_t* offsets
    cdef uint8_t* to
    cdef int64_t total
    cdef uint32_t i, entry, start
    if array == NULL:
        return NULL
    offsets = <int32_t*>array_buffer(array, 1, 4 * (<size_t>picks.rows + 1))
    if offsets == NULL or set_validity(array, picks) != 0:
        array_free(array)
        return NULL
    total = set_offsets(&leaf.ends, picks, offsets)
    if total < 0:
        status[0] = TS_LIMIT
        array_free(array)
        return NULL
    to = <uint8_t*>array_buffer(array, 2, total)
    if to == NULL:
        array_free(array)
        return NULL
    if picks.block:
        copy_bytes(to, leaf.values.data + start_of(&leaf.ends, picks.first), total)
        return array
    for i in range(picks.rows):
        entry = picks.entry[i]
        if entry != NONE:
            start = start_of(&leaf.ends, entry)
            copy_bytes(to + offsets[i], leaf.values.data + start, end_of(&leaf.ends, entry) - start)
    return array


cdef ArrowArray* dictionary_array(const Dictionary* d) noexcept nogil:
    cdef ArrowArray* array = array_new(d.count, 3, 0)
    cdef int32_t* offsets
    cdef void* data
    if array == NULL:
        return NULL
    offsets = <int32_t*>array_buffer(array, 1, 4 * (<size_t>d.count + 1))
    data = array_buffer(array, 2, d.bytes.size)
    if offsets == NULL or data == NULL:
        array_free(array)
        return NULL
    if d.count:
        memcpy(offsets + 1, d.ends.data, 4 * <size_t>d.count)
        copy_bytes(data, d.bytes.data, d.bytes.size)
    return array


cdef ArrowArray* text_indices(State* s, const Leaf* leaf, const Picks* picks, int* status) noexcept nogil:
    # A text column as indices into its distinct values.
    cdef ArrowArray* array = array_new(picks.rows, 2, 0)
    cdef Dictionary d
    cdef int32_t* to
    cdef uint32_t* known = NULL
    cdef uint32_t i, entry, start, index
    memset(&d, 0, sizeof(d))
    if array == NULL:
        return NULL
    to = <int32_t*>array_buffer(array, 1, 4 * <size_t>picks.rows)
    # An entry that covers a run of rows is hashed once.
    known = <uint32_t*>malloc(4 * <size_t>leaf.count + 4)
    if to == NULL or known == NULL or set_validity(array, picks) != 0:
        free(known)
        array_free(array)
        return NULL
    memset(known, 0xFF, 4 * <size_t>leaf.count)
    for i in range(picks.rows):
        entry = picks.entry[i]
        if entry == NONE:
            continue
        if known[entry] == NONE:
            start = start_of(&leaf.ends, entry)
            status[0] = dictionary_intern_bytes(
                &d, leaf.values.data + start, end_of(&leaf.ends, entry) - start, s.seed, &index
            )
            if status[0] != TS_OK:
                break
            known[entry] = index
        to[i] = <int32_t>known[entry]
    free(known)
    if status[0] == TS_OK:
        array.dictionary = dictionary_array(&d)
    dictionary_free(&d)
    if array.dictionary == NULL:
        array_free(array)
        return NULL
    return array


cdef ArrowArray* item_words(const Leaf* leaf, const Picks* picks, uint32_t total) noexcept nogil:
    cdef ArrowArray* array = array_new(total, 2, 0)
    cdef const uint64_t* values = <const uint64_t*>leaf.values.data
    cdef uint64_t* to
    cdef uint32_t i, entry, start, size
    if array == NULL:
        return NULL
    to = <uint64_t*>array_buffer(array, 1, 8 * <size_t>total)
    if to == NULL:
        array_free(array)
        return NULL
    for i in range(picks.rows):
        entry = picks.entry[i]
        if entry != NONE:
            start = start_of(&leaf.ends, entry)
            size = end_of(&leaf.ends, entry) - start
            copy_bytes(to, values + start, 8 * <size_t>size)
            to += size
    return array


cdef ArrowArray* item_bits(const Leaf* leaf, const Picks* picks, uint32_t total) noexcept nogil:
    cdef ArrowArray* array = array_new(total, 2, 0)
    cdef uint8_t* to
    cdef uint32_t i, entry, item
    cdef uint32_t at = 0
    if array == NULL:
        return NULL
    to = <uint8_t*>array_buffer(array, 1, (total + 7) // 8)
    if to == NULL:
        array_free(array)
        return NULL
    for i in range(picks.rows):
        entry = picks.entry[i]
        if entry == NONE:
            continue
        for item in range(start_of(&leaf.ends, entry), end_of(&leaf.ends, entry)):
            if leaf.values.data[item]:
                to[at >> 3] |= <uint8_t>(1 << (at & 7))
            at += 1
    return array


cdef inline uint32_t item_text(const Leaf* leaf, uint32_t item, const uint8_t** p) noexcept nogil:
    # The bytes of one item of a str[] or json[] leaf; returns their number.
    cdef uint32_t index = item
    cdef uint32_t start
    cdef const Buffer* ends = &leaf.items
    cdef const uint8_t* data = leaf.values.data
    if leaf.type == LEAF_JSON_LIST:
        index = (<const uint32_t*>leaf.items.data)[item]
        ends = &leaf.dictionary.ends
        data = leaf.dictionary.bytes.data
    start = start_of(ends, index)
    p[0] = data + start
    return end_of(ends, index) - start


cdef ArrowArray* item_texts(const Leaf* leaf, const Picks* picks, uint32_t total, int* status) noexcept nogil:
    cdef ArrowArray* array = array_new(total, 3, 0)
    cdef int32_t* offsets
    cdef const uint8_t* text
    cdef uint8_t* to
    cdef int64_t bytes = 0
    cdef uint32_t i, entry, item, size
    cdef uint32_t at = 0
    if array == NULL:
        return NULL
    offsets = <int32_t*>array_buffer(array, 1, 4 * (<size_t>total + 1))
    if offsets == NULL:
        array_free(array)
        return NULL
    for i in range(picks.rows):
        entry = picks.entry[i]
        if entry == NONE:
            continue
        for item in range(start_of(&leaf.ends, entry), end_of(&leaf.ends, entry)):
            bytes += item_text(leaf, item, &text)
            if bytes > MAX_LEAF_BYTES:
                status[0] = TS_LIMIT
                array_free(array)
                return NULL
            at += 1
            offsets[at] = <int32_t>bytes
    to = <uint8_t*>array_buffer(array, 2, bytes)
    if to == NULL:
        array_free(array)
        return NULL
    for i in range(picks.rows):
        entry = picks.entry[i]
        if entry == NONE:
            continue
        for item in range(start_of(&leaf.ends, entry), end_of(&leaf.ends, entry)):
            size = item_text(leaf, item, &text)
            copy_bytes(to, text, size)
            to += size
    return array


cdef ArrowArray* item_indices(
    State* s, const Leaf* leaf, const Picks* picks, uint32_t total, int* status
) noexcept nogil:
    # The items as indices into their distinct values. Only values that go out enter the dictionary: a deleted
    # row leaves nothing behind.
    cdef ArrowArray* array = array_new(total, 2, 0)
    cdef Dictionary d
    cdef int32_t* to
    cdef const uint8_t* text
    cdef uint32_t i, entry, item, size, index
    cdef uint32_t at = 0
    cdef uint32_t* known = NULL
    cdef uint32_t known_count = leaf.dictionary.count if leaf.type == LEAF_JSON_LIST else 0
    cdef uint32_t held
    memset(&d, 0, sizeof(d))
    if array == NULL:
        return NULL
    to = <int32_t*>array_buffer(array, 1, 4 * <size_t>total)
    known = <uint32_t*>malloc(4 * <size_t>known_count + 4)
    if to == NULL or known == NULL:
        free(known)
        array_free(array)
        return NULL
    memset(known, 0xFF, 4 * <size_t>known_count)
    for i in range(picks.rows):
        entry = picks.entry[i]
        if entry == NONE or status[0] != TS_OK:
            continue
        for item in range(start_of(&leaf.ends, entry), end_of(&leaf.ends, entry)):
            held = (<const uint32_t*>leaf.items.data)[item] if known_count else NONE
            if held != NONE and known[held] != NONE:
                index = known[held]
            else:
                size = item_text(leaf, item, &text)
                status[0] = dictionary_intern_bytes(&d, text, size, s.seed, &index)
                if status[0] != TS_OK:
                    break
                if held != NONE:
                    known[held] = index
            to[at] = <int32_t>index
            at += 1
    free(known)
    if status[0] == TS_OK:
        array.dictionary = dictionary_array(&d)
    dictionary_free(&d)
    if array.dictionary == NULL:
        array_free(array)
        return NULL
    return array


cdef ArrowArray* list_column(
    State* s, const Leaf* leaf, const Picks* picks, bint dictionary, int* status
) noexcept nogil:
    cdef ArrowArray* array = array_new(picks.rows, 2, 1)
    cdef ArrowArray* items
    cdef int32_t* offsets
    cdef int64_t total
    if array == NULL:
        return NULL
    offsets = <int32_t*>array_buffer(array, 1, 4 * (<size_t>picks.rows + 1))
    if offsets == NULL or set_validity(array, picks) != 0:
        array_free(array)
        return NULL
    total = set_offsets(&leaf.ends, picks, offsets)
    if total < 0:
        status[0] = TS_LIMIT
        array_free(array)
        return NULL
    if leaf.type == LEAF_BOOL_LIST:
        items = item_bits(leaf, picks, <uint32_t>total)
    elif leaf.type == LEAF_STR_LIST or leaf.type == LEAF_JSON_LIST:
        if dictionary:
            items = item_indices(s, leaf, picks, <uint32_t>total, status)
        else:
            items = item_texts(leaf, picks, <uint32_t>total, status)
    else:
        items = item_words(leaf, picks, <uint32_t>total)
    if items == NULL:
        array_free(array)
        return NULL
    array.children[0] = items
    return array


cdef ArrowSchema* text_schema(const char* name, size_t size, bint dictionary) noexcept nogil:
    cdef ArrowSchema* schema = schema_new(b"i" if dictionary else b"u", name, size, 0)
    if schema == NULL or not dictionary:
        return schema
    schema.dictionary = schema_new(b"u", b"", 0, 0)
    if schema.dictionary == NULL:
        schema_free(schema)
        return NULL
    return schema


cdef ArrowSchema* leaf_schema(int type, const char* name, size_t size, bint dictionary) noexcept nogil:
    cdef ArrowSchema* schema
    cdef ArrowSchema* item
    if type == LEAF_I64:
        return schema_new(b"l", name, size, 0)
    if type == LEAF_F64:
        return schema_new(b"g", name, size, 0)
    if type == LEAF_BOOL:
        return schema_new(b"b", name, size, 0)
    if type == LEAF_BIN:
        return schema_new(b"z", name, size, 0)
    if type == LEAF_STR or type == LEAF_JSON:
        return text_schema(name, size, dictionary and type == LEAF_STR)
    if type == LEAF_I64_LIST:
        item = schema_new(b"l", b"item", 4, 0)
    elif type == LEAF_F64_LIST:
        item = schema_new(b"g", b"item", 4, 0)
    elif type == LEAF_BOOL_LIST:
        item = schema_new(b"b", b"item", 4, 0)
    else:
        item = text_schema(b"item", 4, dictionary)
    schema = schema_new(b"+l", name, size, 1)
    if schema == NULL or item == NULL:
        schema_free(item)
        schema_free(schema)
        return NULL
    schema.children[0] = item
    return schema


cdef int leaf_column(
    State* s, const Leaf* leaf, const RowMap* map, const char* name, size_t name_size, bint dictionary,
    ArrowArray** array, ArrowSchema** schema
) noexcept nogil:
    cdef Picks picks
    cdef int status = TS_OK
    array[0] = NULL
    schema[0] = NULL
    if picks_of(leaf, map, &picks) != 0:
        return TS_NO_MEMORY
    if leaf.type <= LEAF_F64:
        array[0] = words_column(leaf, &picks)
    elif leaf.type == LEAF_BOOL:
        array[0] = bits_column(leaf, &picks)
    elif leaf.type == LEAF_STR and dictionary:
        array[0] = text_indices(s, leaf, &picks, &status)
    elif leaf.type <= LEAF_JSON:
        array[0] = text_column(leaf, &picks, &status)
    else:
        array[0] = list_column(s, leaf, &picks, dictionary, &status)
    free(picks.entry)
    if array[0] == NULL:
        return status if status != TS_OK else TS_NO_MEMORY
    schema[0] = leaf_schema(leaf.type, name, name_size, dictionary)
    if schema[0] == NULL:
        array_free(array[0])
        array[0] = NULL
        return TS_NO_MEMORY
    return TS_OK


cdef int write_items(const Leaf* leaf, uint32_t entry, Buffer* out) noexcept nogil:
    cdef uint32_t start = start_of(&leaf.ends, entry)
    cdef uint32_t item, size
    cdef const uint8_t* text
    cdef int status
    if buffer_u8(out, c'[') != 0:
        return TS_NO_MEMORY
    for item in range(start, end_of(&leaf.ends, entry)):
        if item > start and buffer_u8(out, c',') != 0:
            return TS_NO_MEMORY
        if leaf.type == LEAF_I64_LIST:
            status = write_i64(out, (<const int64_t*>leaf.values.data)[item])
        elif leaf.type == LEAF_F64_LIST:
            status = write_f64(out, (<const double*>leaf.values.data)[item])
        elif leaf.type == LEAF_BOOL_LIST:
            status = buffer_bytes(out, b"true", 4) if leaf.values.data[item] else buffer_bytes(out, b"false", 5)
        else:
            size = item_text(leaf, item, &text)
            if leaf.type == LEAF_JSON_LIST:
                status = buffer_bytes(out, text, size)
            else:
                status = write_json_string(out, text, size)
        if status != TS_OK:
            return status
    return buffer_u8(out, c']')


cdef int write_entry(const Leaf* leaf, uint32_t entry, Buffer* out) noexcept nogil:
    cdef uint32_t start, size
    if leaf.type == LEAF_I64:
        return write_i64(out, (<const int64_t*>leaf.values.data)[entry])
    if leaf.type == LEAF_F64:
        return write_f64(out, (<const double*>leaf.values.data)[entry])
    if leaf.type == LEAF_BOOL:
        return buffer_bytes(out, b"true", 4) if leaf.values.data[entry] else buffer_bytes(out, b"false", 5)
    if leaf.type > LEAF_JSON:
        return write_items(leaf, entry, out)
    start = start_of(&leaf.ends, entry)
    size = end_of(&leaf.ends, entry) - start
    if leaf.type == LEAF_STR:
        return write_json_string(out, leaf.values.data + start, size)
    if leaf.type == LEAF_JSON:
        return buffer_bytes(out, leaf.values.data + start, size)
    if buffer_u8(out, c'"') != 0 or write_base64(out, leaf.values.data + start, size) != 0:
        return TS_NO_MEMORY
    return buffer_u8(out, c'"')
