"""A builder's rows as Arrow: fixed columns, the leaves that earned a column, and the tail.

The rows that go out, and their order, are the caller's: sorting, dropping duplicates and deleting are one
permutation. Linear in rows times columns; the builder is unchanged.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcmp, memset

from tracestore._native.arrow cimport ArrowArray, ArrowSchema, array_free, array_new, batch_of, schema_free, schema_new
from tracestore._native.buffer cimport Buffer, buffer_free
from tracestore._native.builder cimport Builder, State, write_leaf_name
from tracestore._native.columns cimport RowMap, leaf_column, leaf_rows
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK
from tracestore._native.tail cimport overflow_column, tail_table

from tracestore.errors import LimitExceededError


cdef struct Candidate:
    # A leaf with values among the rows that go out.
    uint32_t leaf
    uint32_t rows
    uint32_t name_start
    uint32_t name_size
    const uint8_t* name


cdef struct Choice:
    Candidate* all
    Buffer names
    uint32_t winners
    uint32_t count


cdef int by_density(const void* a, const void* b) noexcept nogil:
    cdef const Candidate* x = <const Candidate*>a
    cdef const Candidate* y = <const Candidate*>b
    if x.rows != y.rows:
        return -1 if x.rows > y.rows else 1
    return by_name(a, b)


cdef int by_name(const void* a, const void* b) noexcept nogil:
    cdef const Candidate* x = <const Candidate*>a
    cdef const Candidate* y = <const Candidate*>b
    cdef uint32_t size = x.name_size if x.name_size < y.name_size else y.name_size
    cdef int order = memcmp(x.name, y.name, size)
    if order:
        return order
    return -1 if x.name_size < y.name_size else 1


cdef int choose(State* s, const RowMap* map, uint32_t most, uint32_t least_rows, Choice* choice) noexcept nogil:
    # The densest leaves become columns; then both parts are put in order of their names.
    cdef uint32_t number, rows, i
    cdef Candidate* c
    choice.all = <Candidate*>malloc(sizeof(Candidate) * (<size_t>s.leaf_count + 1))
    if choice.all == NULL:
        return TS_NO_MEMORY
    for number in range(s.fixed_count, s.leaf_count):
        rows = leaf_rows(&s.leaves[number], map)
        if rows == 0:
            continue
        c = &choice.all[choice.count]
        c.leaf = number
        c.rows = rows
        c.name_start = <uint32_t>choice.names.size
        if write_leaf_name(s, &s.leaves[number], &choice.names) != 0:
            return TS_NO_MEMORY
        c.name_size = <uint32_t>choice.names.size - c.name_start
        choice.count += 1
    for i in range(choice.count):
        choice.all[i].name = choice.names.data + choice.all[i].name_start
    qsort(choice.all, choice.count, sizeof(Candidate), &by_density)
    while choice.winners < choice.count and choice.winners < most:
        if choice.all[choice.winners].rows < least_rows:
            break
        choice.winners += 1
    qsort(choice.all, choice.winners, sizeof(Candidate), &by_name)
    qsort(choice.all + choice.winners, choice.count - choice.winners, sizeof(Candidate), &by_name)
    return TS_OK


cdef int build_columns(
    State* s, const RowMap* map, const Choice* choice, bint dictionary, ArrowArray* table, ArrowSchema* fields
) noexcept nogil:
    # Children in order: fixed columns, winners, _overflow.
    cdef uint32_t* losers
    cdef const Candidate* c
    cdef uint32_t i
    cdef int status = TS_OK
    for i in range(s.fixed_count):
        status = leaf_column(
            s, &s.leaves[i], map, b"", 0, dictionary, &table.children[i], &fields.children[i]
        )
        if status != TS_OK:
            return status
    for i in range(choice.winners):
        c = &choice.all[i]
        status = leaf_column(
            s, &s.leaves[c.leaf], map, <const char*>c.name, c.name_size, dictionary,
            &table.children[s.fixed_count + i], &fields.children[s.fixed_count + i]
        )
        if status != TS_OK:
            return status
    losers = losing_leaves(choice)
    if losers == NULL:
        return TS_NO_MEMORY
    i = s.fixed_count + choice.winners
    status = overflow_column(
        s, losers, choice.count - choice.winners, map, &table.children[i], &fields.children[i]
    )
    free(losers)
    return status


cdef uint32_t* losing_leaves(const Choice* choice) noexcept nogil:
    cdef uint32_t* losers = <uint32_t*>malloc(4 * (<size_t>choice.count + 1))
    cdef uint32_t i
    if losers != NULL:
        for i in range(choice.winners, choice.count):
            losers[i - choice.winners] = choice.all[i].leaf
    return losers


cdef int build_tail(
    State* s, const RowMap* map, const Choice* choice, ArrowArray** array, ArrowSchema** schema
) noexcept nogil:
    cdef uint32_t* losers = losing_leaves(choice)
    cdef int status
    if losers == NULL:
        return TS_NO_MEMORY
    status = tail_table(s, losers, choice.count - choice.winners, map, array, schema)
    free(losers)
    return status


cdef int map_rows(RowMap* map, const int64_t[::1] order) except -1:
    # Output rows of an explicit order; each builder row at most once.
    cdef uint32_t span = map.stop - map.start
    cdef int64_t i, row
    map.to = <int32_t*>malloc(4 * <size_t>span + 4)
    if map.to == NULL:
        raise MemoryError
    memset(map.to, 0xFF, 4 * <size_t>span)
    for i in range(order.shape[0]):
        row = order[i] - map.start
        if row < 0 or row >= span or map.to[row] >= 0:
            raise ValueError(f"cannot order rows: row {order[i]} is out of range or named twice")
        map.to[row] = <int32_t>i
    map.rows = <uint32_t>order.shape[0]
    return 0


def export(
    Builder builder not None, uint32_t start, uint32_t stop, order, uint32_t most, uint32_t least_rows,
    double least_density, bint dictionary, bint tail,
):
    """Returns (batch, tail batch or None) of builder rows [start, stop).

    Args:
        order: int64 array of row numbers in output order, or None for all rows as they came.
        most: leaf columns at most.
        least_rows, least_density: rows, and share of the output rows, from which a leaf earns a column.
        dictionary: whether str and json[] columns are dictionary-encoded.
        tail: whether the tail's relation is wanted.

    Raises:
        ValueError: where `order` names a row twice or none that exists.
        LimitExceededError: where a column would pass Arrow's 2 GiB.
    """
    cdef State* s = &builder.state
    cdef RowMap map
    cdef Choice choice
    cdef ArrowArray* table = NULL
    cdef ArrowSchema* fields = NULL
    cdef ArrowArray* tail_array = NULL
    cdef ArrowSchema* tail_schema = NULL
    cdef uint32_t needed
    cdef int status
    if start > stop or stop > s.rows:
        raise ValueError(f"cannot export rows {start} to {stop}: the builder holds {s.rows}")
    memset(&map, 0, sizeof(map))
    memset(&choice, 0, sizeof(choice))
    map.start = start
    map.stop = stop
    map.rows = stop - start
    builder.enter()
    try:
        if order is not None:
            map_rows(&map, order)
        needed = <uint32_t>(least_density * map.rows)
        if needed < least_density * map.rows:
            needed += 1
        if needed < least_rows:
            needed = least_rows
        with nogil:
            status = choose(s, &map, most, needed, &choice)
            if status == TS_OK:
                table = array_new(map.rows, 1, s.fixed_count + choice.winners + 1)
                fields = schema_new(b"+s", b"", 0, s.fixed_count + choice.winners + 1)
                status = TS_NO_MEMORY
                if table != NULL and fields != NULL:
                    status = build_columns(s, &map, &choice, dictionary, table, fields)
            if status == TS_OK and tail:
                status = build_tail(s, &map, &choice, &tail_array, &tail_schema)
            if status != TS_OK:
                array_free(table)
                schema_free(fields)
    finally:
        free(map.to)
        free(choice.all)
        buffer_free(&choice.names)
        builder.leave()
    if status == TS_LIMIT:
        raise LimitExceededError("cannot export rows: a column would pass 2 GiB; export fewer rows at once")
    if status != TS_OK:
        raise MemoryError
    return batch_of(table, fields), batch_of(tail_array, tail_schema) if tail else None


def fixed_column(Builder builder not None, uint32_t column, uint32_t start, uint32_t stop):
    """Returns builder rows [start, stop) of one stored column as a batch of one child."""
    cdef State* s = &builder.state
    cdef RowMap map
    cdef ArrowArray* table = array_new(stop - start, 1, 1)
    cdef ArrowSchema* fields = schema_new(b"+s", b"", 0, 1)
    cdef int status = TS_NO_MEMORY
    if column >= s.fixed_count or start > stop or stop > s.rows:
        array_free(table)
        schema_free(fields)
        raise ValueError(f"cannot export column {column}, rows {start} to {stop}")
    memset(&map, 0, sizeof(map))
    map.start = start
    map.stop = stop
    map.rows = stop - start
    builder.enter()
    with nogil:
        if table != NULL and fields != NULL:
            status = leaf_column(
                s, &s.leaves[column], &map, b"value", 5, False, &table.children[0], &fields.children[0]
            )
        if status != TS_OK:
            array_free(table)
            schema_free(fields)
    builder.leave()
    if status != TS_OK:
        raise MemoryError
    return batch_of(table, fields)


def row_digests(Builder builder not None, uint32_t start, uint32_t stop):
    """Returns the digests of builder rows [start, stop), 8 bytes each, of spans that came as JSON or OTLP."""
    cdef State* s = &builder.state
    if start > stop or 8 * <size_t>stop > s.digests.size:
        raise ValueError(f"cannot give digests of rows {start} to {stop}")
    if start == stop:
        return b""
    return (<const char*>s.digests.data + 8 * <size_t>start)[:8 * <size_t>(stop - start)]
