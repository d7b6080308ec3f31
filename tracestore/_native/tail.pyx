"""The tail of a segment: see tail.pxd. Both copies take time and memory in proportion to the values in the
tail; the relation is sorted only where rows were moved or a path has several types.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort
from libc.string cimport memcmp, memcpy, memset, strlen

from tracestore._native.arrow cimport (
    ArrowArray,
    ArrowSchema,
    array_buffer,
    array_free,
    array_new,
    schema_free,
    schema_new,
)
from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_free, buffer_u8, buffer_u32, buffer_u64, same_bytes
from tracestore._native.builder cimport (
    LEAF_BIN,
    LEAF_BOOL,
    LEAF_F64,
    LEAF_I64,
    LEAF_JSON,
    LEAF_STR,
    LEAF_TYPES,
    MAX_LEAF_BYTES,
    NONE,
    Leaf,
    State,
    leaf_type_name,
    write_leaf_name,
    write_path,
)
from tracestore._native.columns cimport RowMap, first_entry, output_row, run_of, write_entry
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK
from tracestore._native.text cimport write_json_string

cdef enum:
    TAIL_COLUMNS = 8
    TAIL_PATH = 0
    TAIL_ROW = 1
    TAIL_TYPE = 2
    TAIL_I64 = 3
    TAIL_F64 = 4
    TAIL_BOOL = 5
    TAIL_STR = 6
    TAIL_BIN = 7
    SPILL_NAME_TYPE_BYTES = 5  # ":json", which ends every spilled name


# --- gathering --------------------------------------------------------------------------------------


cdef int gather_leaf(State* s, uint32_t number, uint32_t rank, const RowMap* map, Buffer* items) noexcept nogil:
    cdef const Leaf* leaf = &s.leaves[number]
    cdef const uint32_t* rows = <const uint32_t*>leaf.rows.data
    cdef uint32_t entry = first_entry(leaf, map.start)
    cdef uint32_t row
    cdef Item item
    item.leaf = number
    item.rank = rank
    while entry < leaf.count and rows[entry] < map.stop:
        item.entry = entry
        for row in range(rows[entry], rows[entry] + run_of(leaf, entry)):
            item.row = output_row(map, row)
            if item.row >= 0 and buffer_bytes(items, &item, sizeof(Item)) != 0:
                return TS_NO_MEMORY
        entry += 1
    return TS_OK


cdef int gather_spilled(State* s, uint32_t rank, const RowMap* map, Buffer* items) noexcept nogil:
    cdef Item item
    cdef uint32_t i
    item.leaf = NONE
    item.rank = rank
    for i in range(s.spill.count):
        item.entry = i
        item.row = output_row(map, (<uint32_t*>s.spill.rows.data)[i])
        if item.row >= 0 and buffer_bytes(items, &item, sizeof(Item)) != 0:
            return TS_NO_MEMORY
    return TS_OK


cdef inline const uint8_t* spilled(const Buffer* data, const Buffer* ends, uint32_t i, size_t* size) noexcept nogil:
    cdef uint32_t start = (<const uint32_t*>ends.data)[i - 1] if i else 0
    size[0] = (<const uint32_t*>ends.data)[i] - start
    return data.data + start


# --- _overflow --------------------------------------------------------------------------------------


cdef int write_overflow_item(
    State* s, const Item* item, const Buffer* names, const uint32_t* name_ends, Buffer* out
) noexcept nogil:
    cdef const uint8_t* text
    cdef size_t size
    cdef uint32_t start
    cdef int status
    if item.leaf != NONE:
        start = name_ends[item.rank - 1] if item.rank else 0
        status = buffer_bytes(out, names.data + start, name_ends[item.rank] - start)
        if status == TS_OK:
            status = write_entry(&s.leaves[item.leaf], item.entry, out)
        return status
    text = spilled(&s.spill.names, &s.spill.name_ends, item.entry, &size)
    if write_json_string(out, text, size) != 0 or buffer_u8(out, c':') != 0:
        return TS_NO_MEMORY
    text = spilled(&s.spill.values, &s.spill.value_ends, item.entry, &size)
    return buffer_bytes(out, text, size)


cdef int overflow_names(State* s, const uint32_t* leaves, uint32_t count, Buffer* names, Buffer* ends) noexcept nogil:
    # `"<leaf name>":` of every leaf, back to back.
    cdef Buffer plain
    cdef uint32_t i
    cdef int status = TS_OK
    memset(&plain, 0, sizeof(Buffer))
    for i in range(count):
        plain.size = 0
        if (
            write_leaf_name(s, &s.leaves[leaves[i]], &plain) != 0
            or write_json_string(names, plain.data, plain.size) != 0
            or buffer_u8(names, c':') != 0
            or buffer_u32(ends, <uint32_t>names.size) != 0
        ):
            status = TS_NO_MEMORY
            break
    buffer_free(&plain)
    return status


cdef uint32_t* sort_items(const Buffer* items, uint32_t rows) noexcept nogil:
    # Counting sort by row: items of one row stay in the order they were gathered in.
    cdef const Item* all = <const Item*>items.data
    cdef uint32_t count = <uint32_t>(items.size // sizeof(Item))
    cdef uint32_t* ends = <uint32_t*>calloc(<size_t>rows + 2 + count, 4)
    cdef uint32_t* order
    cdef uint32_t i, row, at
    cdef uint32_t sum = 0
    if ends == NULL:
        return NULL
    order = ends + rows + 1
    for i in range(count):
        ends[all[i].row] += 1
    for row in range(rows):
        at = ends[row]
        ends[row] = sum
        sum += at
    for i in range(count):
        order[ends[all[i].row]] = i
        ends[all[i].row] += 1
    return ends


cdef int overflow_rows(
    State* s, const Buffer* items, const Buffer* names, const Buffer* name_ends, const RowMap* map,
    const uint32_t* ends, Buffer* out, int32_t* offsets, uint8_t* bits, int64_t* nulls
) noexcept nogil:
    cdef const Item* all = <const Item*>items.data
    cdef const uint32_t* order = ends + map.rows + 1
    cdef uint32_t i, row
    cdef uint32_t at = 0
    for row in range(map.rows):
        if at == ends[row]:
            nulls[0] += 1
        else:
            bits[row >> 3] |= <uint8_t>(1 << (row & 7))
            for i in range(at, ends[row]):
                if buffer_u8(out, c'{' if i == at else c',') != 0:
                    return TS_NO_MEMORY
                if write_overflow_item(s, &all[order[i]], names, <const uint32_t*>name_ends.data, out) != 0:
                    return TS_NO_MEMORY
            if buffer_u8(out, c'}') != 0:
                return TS_NO_MEMORY
            if out.size > MAX_LEAF_BYTES:
                return TS_LIMIT
            at = ends[row]
        offsets[row + 1] = <int32_t>out.size
    return TS_OK


cdef int overflow_column(
    State* s, const uint32_t* leaves, uint32_t count, const RowMap* map, ArrowArray** array, ArrowSchema** schema
) noexcept nogil:
    cdef Buffer items, names, name_ends, out
    cdef uint32_t* slots = NULL
    cdef void* offsets
    cdef void* bits
    cdef uint32_t i
    cdef int status = TS_OK
    memset(&items, 0, sizeof(Buffer))
    memset(&names, 0, sizeof(Buffer))
    memset(&name_ends, 0, sizeof(Buffer))
    memset(&out, 0, sizeof(Buffer))
    array[0] = array_new(map.rows, 3, 0)
    schema[0] = schema_new(b"u", b"_overflow", 9, 0)
    if array[0] == NULL or schema[0] == NULL:
        status = TS_NO_MEMORY
    for i in range(count):
        if status == TS_OK:
            status = gather_leaf(s, leaves[i], i, map, &items)
    if status == TS_OK:
        status = gather_spilled(s, count, map, &items)
    if status == TS_OK:
        status = overflow_names(s, leaves, count, &names, &name_ends)
    if status == TS_OK:
        offsets = array_buffer(array[0], 1, 4 * (<size_t>map.rows + 1))
        bits = array_buffer(array[0], 0, (map.rows + 7) // 8)
        slots = sort_items(&items, map.rows)
        if offsets == NULL or bits == NULL or slots == NULL:
            status = TS_NO_MEMORY
        else:
            status = overflow_rows(
                s, &items, &names, &name_ends, map, slots, &out, <int32_t*>offsets, <uint8_t*>bits,
                &array[0].null_count
            )
    if status == TS_OK:
        if out.data == NULL:
            status = buffer_u8(&out, 0)
        array[0].buffers[2] = out.data
    else:
        buffer_free(&out)
        array_free(array[0])
        schema_free(schema[0])
        array[0] = NULL
        schema[0] = NULL
    free(slots)
    buffer_free(&items)
    buffer_free(&names)
    buffer_free(&name_ends)
    return status


# --- the relation -----------------------------------------------------------------------------------


cdef struct Source:
    # A leaf or one spilled value, under its path's text.
    const uint8_t* path
    size_t path_size
    uint32_t leaf
    uint32_t entry


cdef struct Relation:
    Buffer path_index
    Buffer rows
    Buffer types
    Buffer i64
    Buffer f64
    Buffer bool_bits
    Buffer text
    Buffer text_ends
    Buffer bin
    Buffer bin_ends
    # Bit of every typed column, one byte a row: which of them holds the value.
    Buffer held
    Buffer paths
    Buffer path_ends
    uint32_t count
    uint32_t path_count


cdef int compare_sources(const void* a, const void* b) noexcept nogil:
    cdef const Source* x = <const Source*>a
    cdef const Source* y = <const Source*>b
    cdef size_t size = x.path_size if x.path_size < y.path_size else y.path_size
    cdef int order = memcmp(x.path, y.path, size) if size else 0
    if order:
        return order
    if x.path_size != y.path_size:
        return -1 if x.path_size < y.path_size else 1
    if x.leaf != y.leaf:
        return -1 if x.leaf < y.leaf else 1
    return -1 if x.entry < y.entry else 1


cdef int compare_items(const void* a, const void* b) noexcept nogil:
    cdef const Item* x = <const Item*>a
    cdef const Item* y = <const Item*>b
    if x.row != y.row:
        return -1 if x.row < y.row else 1
    if x.leaf != y.leaf:
        return -1 if x.leaf < y.leaf else 1
    return -1 if x.entry < y.entry else 1


cdef int relation_value(State* s, const Item* item, Relation* r) noexcept nogil:
    # The typed columns of one row: exactly one of them holds the value, the others a zero.
    cdef const Leaf* leaf
    cdef int type = LEAF_JSON
    cdef int column = TAIL_STR
    cdef uint64_t word = 0
    cdef uint64_t real = 0
    cdef uint8_t bit = 0
    cdef const uint8_t* text
    cdef size_t size
    cdef int status = TS_OK
    if item.leaf == NONE:
        text = spilled(&s.spill.values, &s.spill.value_ends, item.entry, &size)
        status = buffer_bytes(&r.text, text, size)
    else:
        leaf = &s.leaves[item.leaf]
        type = leaf.type
        if type == LEAF_I64:
            column = TAIL_I64
            word = (<const uint64_t*>leaf.values.data)[item.entry]
        elif type == LEAF_F64:
            column = TAIL_F64
            real = (<const uint64_t*>leaf.values.data)[item.entry]
        elif type == LEAF_BOOL:
            column = TAIL_BOOL
            bit = leaf.values.data[item.entry]
        elif type == LEAF_STR or type == LEAF_BIN:
            size = 0
            if item.entry:
                size = (<const uint32_t*>leaf.ends.data)[item.entry - 1]
            text = leaf.values.data + size
            size = (<const uint32_t*>leaf.ends.data)[item.entry] - size
            if type == LEAF_BIN:
                column = TAIL_BIN
                status = buffer_bytes(&r.bin, text, size)
            else:
                status = buffer_bytes(&r.text, text, size)
        else:
            status = write_entry(leaf, item.entry, &r.text)
    if status != TS_OK:
        return status
    if r.text.size > MAX_LEAF_BYTES or r.bin.size > MAX_LEAF_BYTES:
        return TS_LIMIT
    r.count += 1
    if (
        buffer_u64(&r.i64, word) != 0
        or buffer_u64(&r.f64, real) != 0
        or buffer_u8(&r.bool_bits, bit) != 0
        or buffer_u32(&r.text_ends, <uint32_t>r.text.size) != 0
        or buffer_u32(&r.bin_ends, <uint32_t>r.bin.size) != 0
        or buffer_u64(&r.rows, <uint64_t>item.row) != 0
        or buffer_u32(&r.types, <uint32_t>type) != 0
        or buffer_u32(&r.path_index, r.path_count) != 0
    ):
        return TS_NO_MEMORY
    return buffer_u8(&r.held, <uint8_t>(1 << column))


cdef int relation_rows(State* s, const Source* sources, uint32_t count, const RowMap* map, Relation* r) noexcept nogil:
    cdef Buffer items
    cdef Item* all
    cdef Item item
    cdef uint32_t at = 0
    cdef uint32_t next, i, found
    cdef bint sorted_rows
    cdef int status = TS_OK
    memset(&items, 0, sizeof(Buffer))
    while at < count and status == TS_OK:
        # One path: its leaves of every type, or its spilled values.
        items.size = 0
        next = at
        while next < count and status == TS_OK:
            if sources[next].path_size != sources[at].path_size:
                break
            if not same_bytes(sources[next].path, sources[at].path, sources[at].path_size):
                break
            if sources[next].leaf != NONE:
                status = gather_leaf(s, sources[next].leaf, 0, map, &items)
            else:
                item.leaf = NONE
                item.entry = sources[next].entry
                item.rank = 0
                item.row = output_row(map, (<uint32_t*>s.spill.rows.data)[item.entry])
                if item.row >= 0:
                    status = buffer_bytes(&items, &item, sizeof(Item))
            next += 1
        all = <Item*>items.data
        found = <uint32_t>(items.size // sizeof(Item))
        sorted_rows = 1
        for i in range(1, found):
            if all[i].row < all[i - 1].row:
                sorted_rows = 0
                break
        if not sorted_rows:
            qsort(all, found, sizeof(Item), &compare_items)
        for i in range(found):
            if status == TS_OK:
                status = relation_value(s, &all[i], r)
        if found and status == TS_OK:
            status = buffer_bytes(&r.paths, sources[at].path, sources[at].path_size)
            if status == TS_OK:
                status = buffer_u32(&r.path_ends, <uint32_t>r.paths.size)
            r.path_count += 1
        at = next
    buffer_free(&items)
    return status


cdef int relation_sources(
    State* s, const uint32_t* leaves, uint32_t count, Buffer* names, Source* sources
) noexcept nogil:
    cdef Buffer ends
    cdef uint32_t i, start
    cdef size_t size
    memset(&ends, 0, sizeof(Buffer))
    for i in range(count):
        if write_path(s, s.leaves[leaves[i]].node, names) != 0 or buffer_u32(&ends, <uint32_t>names.size) != 0:
            buffer_free(&ends)
            return TS_NO_MEMORY
    for i in range(count):
        start = (<uint32_t*>ends.data)[i - 1] if i else 0
        sources[i].path = names.data + start
        sources[i].path_size = (<uint32_t*>ends.data)[i] - start
        sources[i].leaf = leaves[i]
        sources[i].entry = 0
    for i in range(s.spill.count):
        sources[count + i].path = spilled(&s.spill.names, &s.spill.name_ends, i, &size)
        sources[count + i].path_size = size - SPILL_NAME_TYPE_BYTES
        sources[count + i].leaf = NONE
        sources[count + i].entry = i
    buffer_free(&ends)
    return TS_OK


cdef ArrowArray* moved_column(
    Buffer* values, Buffer* ends, int64_t length, const Relation* r, int column
) noexcept nogil:
    # A column whose buffers become the array's; `ends` is NULL for fixed widths, and column -1 has no nulls.
    cdef ArrowArray* array = array_new(length, 2 if ends == NULL else 3, 0)
    cdef uint8_t* bits
    cdef void* offsets
    cdef int64_t i
    cdef int64_t held = 0
    if array == NULL:
        return NULL
    if values.data == NULL and buffer_u8(values, 0) != 0:
        array_free(array)
        return NULL
    if ends != NULL:
        offsets = array_buffer(array, 1, 4 * (<size_t>length + 1))
        if offsets == NULL:
            array_free(array)
            return NULL
        if length:
            memcpy(<uint8_t*>offsets + 4, ends.data, 4 * <size_t>length)
    if column >= 0:
        bits = <uint8_t*>array_buffer(array, 0, (length + 7) // 8)
        if bits == NULL:
            array_free(array)
            return NULL
        for i in range(length):
            if r.held.data[i] & (1 << column):
                bits[i >> 3] |= <uint8_t>(1 << (i & 7))
                held += 1
        array.null_count = length - held
    array.buffers[1 if ends == NULL else 2] = values.data
    values.data = NULL
    return array


cdef ArrowArray* bool_column(Relation* r) noexcept nogil:
    cdef ArrowArray* array
    cdef Buffer packed
    cdef uint32_t i
    memset(&packed, 0, sizeof(Buffer))
    packed.data = <uint8_t*>calloc(r.count // 8 + 1, 1)
    if packed.data == NULL:
        return NULL
    for i in range(r.count):
        if r.bool_bits.data[i]:
            packed.data[i >> 3] |= <uint8_t>(1 << (i & 7))
    array = moved_column(&packed, NULL, r.count, r, TAIL_BOOL)
    buffer_free(&packed)
    return array


cdef ArrowArray* type_names() noexcept nogil:
    cdef Buffer bytes, ends
    cdef ArrowArray* array = NULL
    cdef const char* name
    cdef bint whole = 1
    cdef int type
    memset(&bytes, 0, sizeof(Buffer))
    memset(&ends, 0, sizeof(Buffer))
    for type in range(<int>LEAF_TYPES):
        name = leaf_type_name(type)
        whole &= buffer_bytes(&bytes, name, strlen(name)) == 0
        whole &= buffer_u32(&ends, <uint32_t>bytes.size) == 0
    if whole:
        array = moved_column(&bytes, &ends, LEAF_TYPES, NULL, -1)
    buffer_free(&bytes)
    buffer_free(&ends)
    return array


cdef ArrowSchema* indexed_schema(const char* name, size_t size) noexcept nogil:
    cdef ArrowSchema* schema = schema_new(b"i", name, size, 0)
    if schema != NULL:
        schema.dictionary = schema_new(b"u", b"", 0, 0)
        if schema.dictionary == NULL:
            schema_free(schema)
            return NULL
    return schema


cdef int relation_export(Relation* r, ArrowArray** array, ArrowSchema** schema) noexcept nogil:
    cdef ArrowArray* table = array_new(r.count, 1, TAIL_COLUMNS)
    cdef ArrowSchema* fields = schema_new(b"+s", b"", 0, TAIL_COLUMNS)
    cdef int i
    cdef bint whole
    if table != NULL and fields != NULL:
        table.children[TAIL_PATH] = moved_column(&r.path_index, NULL, r.count, NULL, -1)
        table.children[TAIL_ROW] = moved_column(&r.rows, NULL, r.count, NULL, -1)
        table.children[TAIL_TYPE] = moved_column(&r.types, NULL, r.count, NULL, -1)
        table.children[TAIL_I64] = moved_column(&r.i64, NULL, r.count, r, TAIL_I64)
        table.children[TAIL_F64] = moved_column(&r.f64, NULL, r.count, r, TAIL_F64)
        table.children[TAIL_BOOL] = bool_column(r)
        table.children[TAIL_STR] = moved_column(&r.text, &r.text_ends, r.count, r, TAIL_STR)
        table.children[TAIL_BIN] = moved_column(&r.bin, &r.bin_ends, r.count, r, TAIL_BIN)
        fields.children[TAIL_PATH] = indexed_schema(b"path", 4)
        fields.children[TAIL_ROW] = schema_new(b"l", b"row", 3, 0)
        fields.children[TAIL_TYPE] = indexed_schema(b"type", 4)
        fields.children[TAIL_I64] = schema_new(b"l", b"i64", 3, 0)
        fields.children[TAIL_F64] = schema_new(b"g", b"f64", 3, 0)
        fields.children[TAIL_BOOL] = schema_new(b"b", b"bool", 4, 0)
        fields.children[TAIL_STR] = schema_new(b"u", b"str", 3, 0)
        fields.children[TAIL_BIN] = schema_new(b"z", b"bin", 3, 0)
        whole = 1
        for i in range(TAIL_COLUMNS):
            whole &= table.children[i] != NULL and fields.children[i] != NULL
        if whole:
            table.children[TAIL_PATH].dictionary = moved_column(&r.paths, &r.path_ends, r.path_count, NULL, -1)
            table.children[TAIL_TYPE].dictionary = type_names()
            if table.children[TAIL_PATH].dictionary != NULL and table.children[TAIL_TYPE].dictionary != NULL:
                array[0] = table
                schema[0] = fields
                return TS_OK
    array_free(table)
    schema_free(fields)
    return TS_NO_MEMORY


cdef void relation_free(Relation* r) noexcept nogil:
    buffer_free(&r.path_index)
    buffer_free(&r.rows)
    buffer_free(&r.types)
    buffer_free(&r.i64)
    buffer_free(&r.f64)
    buffer_free(&r.bool_bits)
    buffer_free(&r.text)
    buffer_free(&r.text_ends)
    buffer_free(&r.bin)
    buffer_free(&r.bin_ends)
    buffer_free(&r.held)
    buffer_free(&r.paths)
    buffer_free(&r.path_ends)


cdef int tail_table(
    State* s, const uint32_t* leaves, uint32_t count, const RowMap* map, ArrowArray** array, ArrowSchema** schema
) noexcept nogil:
    cdef Relation relation
    cdef Buffer names
    cdef uint32_t total = count + s.spill.count
    cdef Source* sources = <Source*>malloc(sizeof(Source) * (<size_t>total + 1))
    cdef int status = TS_OK
    memset(&relation, 0, sizeof(Relation))
    memset(&names, 0, sizeof(Buffer))
    array[0] = NULL
    schema[0] = NULL
    if sources == NULL:
        return TS_NO_MEMORY
    status = relation_sources(s, leaves, count, &names, sources)
    if status == TS_OK:
        qsort(sources, total, sizeof(Source), &compare_sources)
        status = relation_rows(s, sources, total, map, &relation)
    if status == TS_OK:
        status = relation_export(&relation, array, schema)
    relation_free(&relation)
    buffer_free(&names)
    free(sources)
    return status
