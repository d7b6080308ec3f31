"""OTLP requests into a builder: spans or log records, with what their resource and scope say.

A request is read in place. A resource's and a scope's attributes are shredded once and stand for all rows
below them. A span that is broken inside is refused alone; a broken frame around spans refuses the request and
leaves the builder as it was. Linear in the request, but for messages in several parts, which are bounded.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memset

from tracestore._native.buffer cimport buffer_u64
from tracestore._native.builder cimport (
    NONE,
    Builder,
    State,
    node_enter,
    node_leave,
    row_abort,
    row_begin,
    rows_truncate,
)
from tracestore._native.conventions cimport Conventions
from tracestore._native.hashing cimport hash_bytes, hash_message
from tracestore._native.json_reader cimport Text
from tracestore._native.otlp_json cimport RowOrigin, Transcoder, transcode_request, transcoder_free
from tracestore._native.otlp_log cimport read_log
from tracestore._native.otlp_request cimport Request, push_text, push_word, size_of
from tracestore._native.otlp_span cimport read_span
from tracestore._native.otlp_value cimport (
    ANY_STRING,
    AnyValue,
    join_parts,
    read_any,
    read_key_value,
    reader_free,
    shred_attribute,
    write_attribute,
)
from tracestore._native.protobuf cimport (
    WIRE_BYTES,
    WIRE_VARINT,
    Wire,
    wire_bytes,
    wire_skip,
    wire_tag,
    wire_varint,
)
from tracestore._native.rejections cimport MAX_REPORTED_REJECTIONS, reject, rejections_take
from tracestore._native.routing cimport same_text, text_of
from tracestore._native.span_fields cimport fields_free
from tracestore._native.status cimport TS_LIMIT, TS_NO_MEMORY, TS_OK
from tracestore._native.tables cimport (
    LOG_RESOURCE_DROPPED,
    LOG_RESOURCE_SCHEMA_URL,
    LOG_SCOPE_NAME,
    LOG_SERVICE,
    NODE_RESOURCE,
    NODE_SCOPE,
    SPAN_EXPERIMENT,
    SPAN_PROJECT,
    SPAN_RESOURCE_DROPPED,
    SPAN_RESOURCE_SCHEMA_URL,
    SPAN_SCOPE_NAME,
    SPAN_SERVICE,
)
from tracestore._native.text cimport utf8_first_bad

from tracestore.errors import PayloadError

cdef enum:
    # Bytes that messages in several parts may copy, beside the size of the request.
    JOINED_BYTES = 1_048_576
    # Field numbers of the attributes; the count of dropped ones comes right after.
    RESOURCE_ATTRIBUTES = 1
    SCOPE_ATTRIBUTES = 3


# --- what covers many rows ----------------------------------------------------------------------------


cdef int check_shared(Request* r, Wire w, uint32_t attributes_field) noexcept nogil:
    # A resource or scope that no row came of must still be whole.
    cdef Wire message
    cdef uint32_t field
    cdef int type, status
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == attributes_field and type == WIRE_BYTES:
            status = wire_bytes(&w, &message, &r.v.error)
            r.v.depth = 0
            r.v.json.size = 0
            if status == TS_OK:
                status = write_attribute(&r.v, message, True, &r.v.json)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int shred_shared(Request* r, Wire w, uint32_t node, int dropped_column, int name_column) noexcept nogil:
    # A resource (attributes are field 1) or a scope (name 1, version 2, attributes 3) over the rows of the run.
    cdef State* s = r.v.s
    cdef uint32_t attributes_field = RESOURCE_ATTRIBUTES if name_column < 0 else SCOPE_ATTRIBUTES
    cdef uint32_t dropped_field = attributes_field + 1
    cdef Wire message
    cdef Wire name, version
    cdef uint64_t dropped = 0
    cdef uint32_t before = NONE
    cdef uint32_t field
    cdef int type
    cdef int status = TS_OK
    name.p = name.end = w.end
    version.p = version.end = w.end
    node_enter(s, node)
    while w.p < w.end and status == TS_OK:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            break
        if field == attributes_field and type == WIRE_BYTES:
            status = wire_bytes(&w, &message, &r.v.error)
            r.v.depth = 0
            if status == TS_OK:
                status = shred_attribute(&r.v, message, node, &before)
        elif field == dropped_field and type == WIRE_VARINT:
            status = wire_varint(&w, &dropped, &r.v.error)
        elif field == 1 and type == WIRE_BYTES:
            status = wire_bytes(&w, &name, &r.v.error)
        elif field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &version, &r.v.error)
        else:
            status = wire_skip(&w, field, type, &r.v.error)
    node_leave(s, node)
    if status == TS_OK:
        status = push_word(r, dropped_column, <uint32_t>dropped)
    if status == TS_OK and name_column >= 0:
        status = push_text(r, name_column, &name, False)
        if status == TS_OK:
            status = push_text(r, name_column + 1, &version, False)
    return status


cdef inline void run_begin(State* s, uint32_t first) noexcept nogil:
    # What is pushed next covers rows [first, s.rows).
    row_begin(s)
    s.run = s.rows - first
    s.rows = first


cdef inline void run_end(State* s) noexcept nogil:
    s.rows += s.run
    s.run = 1


cdef int read_part(Request* r, Wire* w, Wire* whole) noexcept nogil:
    # A message that occurs once, joined with what came of it before.
    cdef Wire part
    cdef int status = wire_bytes(w, &part, &r.v.error)
    if status != TS_OK:
        return status
    if whole.p < whole.end:
        return join_parts(&r.v, whole, &part)
    whole[0] = part
    return TS_OK


cdef int read_frame(Request* r, Wire w, Wire* shared, Wire* schema_url, uint64_t* rows) noexcept nogil:
    # The first pass over a ResourceSpans or ScopeSpans: its resource or scope (field 1), its schema URL (3), and the
    # number of its field 2. Afterwards its frame is known to be whole.
    cdef uint32_t field
    cdef int type, status
    cdef Wire skipped
    shared.p = shared.end = w.end
    schema_url.p = schema_url.end = w.end
    rows[0] = 0
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 1 and type == WIRE_BYTES:
            status = read_part(r, &w, shared)
        elif field == 3 and type == WIRE_BYTES:
            status = wire_bytes(&w, schema_url, &r.v.error)
        elif field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &skipped, &r.v.error)
            rows[0] += 1
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int read_rows(Request* r, Wire w) noexcept nogil:
    # The spans or log records of one scope; a bad one is refused alone.
    cdef State* s = r.v.s
    cdef Wire message
    cdef uint64_t offset
    cdef uint32_t field
    cdef int type, status
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field != 2 or type != WIRE_BYTES:
            status = wire_skip(&w, field, type, &r.v.error)
            if status != TS_OK:
                return status
            continue
        status = wire_bytes(&w, &message, &r.v.error)
        if status != TS_OK:
            return status
        if s.rows >= NONE - 1:
            return TS_NO_MEMORY
        row_begin(s)
        status = read_log(r, message) if r.logs else read_span(r, message)
        if status == TS_OK:
            if not r.logs and buffer_u64(
                &s.digests, hash_message(message.p, size_of(&message), r.scope_digest)
            ) != 0:
                return TS_NO_MEMORY
            s.rows += 1
        elif status == TS_NO_MEMORY:
            return status
        else:
            row_abort(s)
            offset = message.p - r.base
            if r.base <= r.v.error.at <= r.end:
                offset = r.v.error.at - r.base
            if status == TS_LIMIT and r.v.error.reason == NULL:
                r.v.error.reason = b"a column would pass 2 GiB"
            if reject(&r.refused, r.ordinal, offset, r.v.error.reason) != 0:
                return TS_NO_MEMORY
        r.v.error.reason = NULL
        r.ordinal += 1
    return TS_OK


cdef int read_scope(Request* r, Wire w) noexcept nogil:
    cdef State* s = r.v.s
    cdef uint32_t first = s.rows
    cdef Wire scope, schema_url
    cdef uint64_t rows
    cdef int status = read_frame(r, w, &scope, &schema_url, &rows)
    if status == TS_OK:
        r.scope_digest = hash_message(scope.p, size_of(&scope), r.resource_digest)
        status = read_rows(r, w)
    if status == TS_OK and s.rows == first:
        return check_shared(r, scope, SCOPE_ATTRIBUTES)
    if status != TS_OK:
        return status
    run_begin(s, first)
    status = shred_shared(r, scope, NODE_SCOPE, r.resource_dropped + 1, r.scope_name)
    if status == TS_OK:
        status = push_text(r, r.resource_schema_url + 1, &schema_url, False)
    run_end(s)
    return status


cdef int find_routes(Request* r, Wire resource, Text* project, Text* experiment, Text* service) noexcept nogil:
    # What a resource says of its rows' project, experiment and service; the texts lie in the request.
    cdef Wire message, key, value
    cdef AnyValue any
    cdef Text* target
    cdef Text other
    cdef const uint8_t* own = project.p
    cdef uint32_t field
    cdef size_t size
    cdef int type, status
    other.p = NULL
    while resource.p < resource.end:
        status = wire_tag(&resource, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field != 1 or type != WIRE_BYTES:
            status = wire_skip(&resource, field, type, &r.v.error)
            if status != TS_OK:
                return status
            continue
        status = wire_bytes(&resource, &message, &r.v.error)
        if status == TS_OK:
            status = read_key_value(&r.v, message, &key, &value)
        if status != TS_OK:
            return status
        size = size_of(&key)
        if size == 12 and memcmp(key.p, b"service.name", 12) == 0:
            target = service
        elif size == 18 and memcmp(key.p, b"tracestore.project", 18) == 0:
            target = project
        elif size == 21 and memcmp(key.p, b"tracestore.experiment", 21) == 0:
            target = experiment
        elif size == 26 and memcmp(key.p, b"openinference.project.name", 26) == 0:
            target = &other
        else:
            continue
        status = read_any(&r.v, value, &any)
        if status != TS_OK:
            return status
        # A name that is no UTF-8 names nothing.
        if any.kind != ANY_STRING or any.bytes.p == any.bytes.end:
            continue
        if utf8_first_bad(any.bytes.p, any.bytes.end) == any.bytes.end:
            target.p = any.bytes.p
            target.size = size_of(&any.bytes)
    # Our own name goes before the other, whose `default` is what its SDK says where nobody named a project.
    if other.p != NULL and project.p == own and not (other.size == 7 and memcmp(other.p, b"default", 7) == 0):
        project[0] = other
    return TS_OK


cdef int push_route(Request* r, int column, const Text* text) noexcept nogil:
    cdef Wire w
    if text.p == NULL:
        return TS_OK
    w.p = text.p
    w.end = text.p + text.size
    return push_text(r, column, &w, False)


cdef int skip_scopes(Request* r, Wire w) noexcept nogil:
    # Counts the rows of a resource that belongs to another project.
    cdef Wire scope, shared, schema_url
    cdef uint64_t rows
    cdef uint32_t field
    cdef int type, status
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status != TS_OK:
            return status
        if field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &scope, &r.v.error)
            if status == TS_OK:
                status = read_frame(r, scope, &shared, &schema_url, &rows)
            r.ordinal += rows
        else:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int read_resource(Request* r, Wire w) noexcept nogil:
    cdef State* s = r.v.s
    cdef uint32_t first = s.rows
    cdef Wire whole = w
    cdef Wire resource, schema_url, scope
    cdef Text project = r.routing.project
    cdef Text experiment = r.routing.experiment
    cdef Text service
    cdef uint64_t scopes
    cdef uint32_t field
    cdef int type
    cdef int status = read_frame(r, w, &resource, &schema_url, &scopes)
    service.p = NULL
    if status == TS_OK:
        status = find_routes(r, resource, &project, &experiment, &service)
    if status != TS_OK:
        return status
    if r.routing.only.p != NULL and not same_text(&project, &r.routing.only):
        return skip_scopes(r, whole)
    r.resource_digest = hash_message(
        resource.p, size_of(&resource), hash_bytes(experiment.p, experiment.size if experiment.p != NULL else 0, 0)
    )
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status == TS_OK and field == 2 and type == WIRE_BYTES:
            status = wire_bytes(&w, &scope, &r.v.error)
            if status == TS_OK:
                status = read_scope(r, scope)
        elif status == TS_OK:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    if s.rows == first:
        return check_shared(r, resource, RESOURCE_ATTRIBUTES)
    run_begin(s, first)
    status = shred_shared(r, resource, NODE_RESOURCE, r.resource_dropped, -1)
    if status == TS_OK:
        status = push_text(r, r.resource_schema_url, &schema_url, False)
    if status == TS_OK:
        status = push_route(r, SPAN_PROJECT, &project)
    if status == TS_OK:
        status = push_route(r, SPAN_EXPERIMENT, &experiment)
    if status == TS_OK:
        status = push_route(r, r.service, &service)
    run_end(s)
    return status


cdef int read_request(Request* r, Wire w) noexcept nogil:
    cdef Wire resource
    cdef uint32_t field
    cdef int type, status
    while w.p < w.end:
        status = wire_tag(&w, &field, &type, &r.v.error)
        if status == TS_OK and field == 1 and type == WIRE_BYTES:
            status = wire_bytes(&w, &resource, &r.v.error)
            if status == TS_OK:
                status = read_resource(r, resource)
        elif status == TS_OK:
            status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            return status
    return TS_OK


cdef int transcode(Transcoder* t, const uint8_t[::1] payload, bint logs) noexcept nogil:
    # JSON to protobuf; a value of the wrong type outside of a row breaks the frame.
    t.base = &payload[0]
    t.j.p = t.base
    t.j.end = t.base + payload.shape[0]
    return transcode_request(t, logs)


cdef object payload_error(int status, const char* reason, int64_t offset):
    if status == TS_NO_MEMORY:
        return MemoryError()
    return PayloadError((<bytes>reason).decode() if reason != NULL else "a column would pass 2 GiB", offset)


cdef list json_rejections(Transcoder* t, list transcoding, list shredding):
    # Both readers' refusals, by their place in the JSON.
    cdef const RowOrigin* origins = <const RowOrigin*>t.origins.data
    found = transcoding + [(origins[row].row, origins[row].offset, reason) for row, _, reason in shredding]
    return sorted(found)[:MAX_REPORTED_REJECTIONS]


def append_otlp(
    Builder builder not None,
    const uint8_t[::1] payload not None,
    bint json,
    project,
    experiment,
    only_project,
    Conventions conventions,
    uint64_t arrived_ns=0,
):
    """Appends an ExportTraceServiceRequest or ExportLogsServiceRequest.

    Args:
        builder: of the table `spans` or `logs`, which says what the payload is.
        payload: the message.
        json: whether it is OTLP/JSON; protobuf otherwise.
        project, experiment: bytes or None, for resources that name none.
        only_project: bytes or None; keeps only the rows of that project.
        conventions: what else attributes of spans tell, None for nothing.
        arrived_ns: the time of log records that name none.

    Returns:
        (rows, rejections, rejected rows, repaired strings).

    Raises:
        PayloadError: where a frame around rows is broken; the builder is as it was.
        MemoryError: likewise.
    """
    cdef Request r
    cdef Transcoder t
    cdef Wire w
    cdef State* s = &builder.state
    cdef uint32_t before = s.rows
    cdef int status = TS_OK
    cdef bytes project_bytes = project
    cdef bytes experiment_bytes = experiment
    cdef bytes only_bytes = only_project
    memset(&r, 0, sizeof(r))
    memset(&t, 0, sizeof(t))
    if payload.shape[0] == 0:
        return 0, [], 0, 0
    text_of(project_bytes, &r.routing.project)
    text_of(experiment_bytes, &r.routing.experiment)
    text_of(only_bytes, &r.routing.only)
    r.v.s = s
    r.v.joined_most = JOINED_BYTES + <uint64_t>payload.shape[0]
    if conventions is not None:
        r.fields.table = &conventions.table
    r.arrived_ns = arrived_ns
    r.logs = builder.spec.name == "logs"
    r.service = <int>LOG_SERVICE if r.logs else <int>SPAN_SERVICE
    r.scope_name = <int>LOG_SCOPE_NAME if r.logs else <int>SPAN_SCOPE_NAME
    r.resource_schema_url = <int>LOG_RESOURCE_SCHEMA_URL if r.logs else <int>SPAN_RESOURCE_SCHEMA_URL
    r.resource_dropped = <int>LOG_RESOURCE_DROPPED if r.logs else <int>SPAN_RESOURCE_DROPPED
    w.p = &payload[0]
    w.end = w.p + payload.shape[0]
    builder.enter()
    try:
        with nogil:
            if json:
                status = transcode(&t, payload, r.logs)
                w.p = t.out.data
                w.end = t.out.data + t.out.size
            r.base = w.p
            r.end = w.end
            if status == TS_OK:
                status = read_request(&r, w)
                if status != TS_OK:
                    # A run under way has moved the row counter back.
                    s.run = 1
                    rows_truncate(s, before)
        repaired = r.v.repaired + t.j.repaired
        s.repaired_strings += repaired
        rejected = r.refused.count + t.refused.count
        rejections = rejections_take(&r.refused)
        if json:
            rejections = json_rejections(&t, rejections_take(&t.refused), rejections)
            if status != TS_OK:
                raise payload_error(status, t.j.reason, t.j.p - t.base)
        elif status != TS_OK:
            raise payload_error(
                status, r.v.error.reason, r.v.error.at - r.base if r.base <= r.v.error.at <= r.end else 0
            )
    finally:
        reader_free(&r.v)
        fields_free(&r.fields)
        transcoder_free(&t)
        builder.leave()
    return s.rows - before, rejections, rejected, repaired


def otlp_projects(const uint8_t[::1] payload not None, bint json, bint logs):
    """Returns the distinct projects, as bytes or None for the default, that a request's resources name.

    Raises:
        PayloadError: where the frame is broken.
    """
    cdef Request r
    cdef Transcoder t
    cdef Wire w, message, resource, schema_url
    cdef Text project, experiment, service
    cdef uint64_t scopes
    cdef uint32_t field
    cdef int type
    cdef int status = TS_OK
    found = {}
    memset(&r, 0, sizeof(r))
    memset(&t, 0, sizeof(t))
    if payload.shape[0] == 0:
        return [None]
    r.v.joined_most = JOINED_BYTES + <uint64_t>payload.shape[0]
    w.p = &payload[0]
    w.end = w.p + payload.shape[0]
    try:
        if json:
            with nogil:
                status = transcode(&t, payload, logs)
            if status != TS_OK:
                raise payload_error(status, t.j.reason, t.j.p - t.base)
            w.p = t.out.data
            w.end = t.out.data + t.out.size
        r.base = w.p
        while w.p < w.end and status == TS_OK:
            status = wire_tag(&w, &field, &type, &r.v.error)
            if status == TS_OK and field == 1 and type == WIRE_BYTES:
                project.p = NULL
                status = wire_bytes(&w, &message, &r.v.error)
                if status == TS_OK:
                    status = read_frame(&r, message, &resource, &schema_url, &scopes)
                if status == TS_OK:
                    status = find_routes(&r, resource, &project, &experiment, &service)
                if status == TS_OK:
                    found[<bytes>(<const char*>project.p)[: project.size] if project.p != NULL else None] = True
            elif status == TS_OK:
                status = wire_skip(&w, field, type, &r.v.error)
        if status != TS_OK:
            raise payload_error(status, r.v.error.reason, r.v.error.at - r.base)
    finally:
        reader_free(&r.v)
        transcoder_free(&t)
    return list(found) or [None]
