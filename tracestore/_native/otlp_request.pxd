"""One OTLP request under way, and what its parts share: refusing a row, pushing a column."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from tracestore._native.conventions cimport SpanFields
from tracestore._native.otlp_value cimport ValueReader
from tracestore._native.protobuf cimport Wire
from tracestore._native.rejections cimport Rejections
from tracestore._native.routing cimport Routing
from tracestore._native.status cimport TS_ROW

cdef enum:
    TRACE_ID_BYTES = 16
    SPAN_ID_BYTES = 8


cdef struct Request:
    ValueReader v
    Routing routing
    SpanFields fields
    Rejections refused
    const uint8_t* base
    const uint8_t* end
    # Rows met so far, refused and skipped ones included.
    uint64_t ordinal
    # A hash of what stands for every span of a scope, and of a resource: a span's own bytes are hashed into it.
    uint64_t resource_digest
    uint64_t scope_digest
    # The time of records that name none, 0 for none.
    uint64_t arrived_ns
    bint logs
    # Columns that stand for every row of a resource or scope, by table.
    int service
    int scope_name
    int resource_schema_url
    int resource_dropped


cdef inline int row_fail(Request* r, const Wire* w, const char* reason) noexcept nogil:
    r.v.error.at = w.p
    r.v.error.reason = reason
    return TS_ROW


cdef inline size_t size_of(const Wire* w) noexcept nogil:
    return w.end - w.p


cdef inline bint all_zero(const Wire* w) noexcept nogil:
    cdef size_t i
    for i in range(size_of(w)):
        if w.p[i]:
            return 0
    return 1


# A proto string into a column; the empty one is null unless `always`.
cdef int push_text(Request* r, int column, const Wire* w, bint always) noexcept nogil

# An id as lower-case hex; at most 16 bytes.
cdef int push_id(Request* r, int column, const Wire* w) noexcept nogil
cdef int push_word(Request* r, int column, uint64_t value) noexcept nogil
cdef int push_name(Request* r, int column, uint64_t value, const char** names, int32_t known) noexcept nogil
