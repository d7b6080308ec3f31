"""The columns of a span, filled from what its attributes and events told: see span_columns.pxd.

Whole values come before their parts, in the table's order; what an earlier one set is left as it is. Linear in the
values that are copied or moved.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_u8
from tracestore._native.builder cimport (
    LEAF_F64,
    LEAF_I64,
    LEAF_STR,
    NONE,
    State,
    child_find,
    leaf_of,
    node_enter,
    node_leave,
    push_bytes,
    push_f64,
    push_i64,
)
from tracestore._native.conventions cimport (
    NO_SLOT,
    PART_CACHED,
    PART_COMPLETION,
    PART_CREATED,
    PART_PROMPT,
    PART_REASONING,
    PART_TOTAL,
    RULE_AGGREGATING,
    RULE_FAILED,
    RULE_HTTP_STATUS,
    RULE_JSON,
    RULE_OPEN_JSON,
    SLOT_AGGREGATED,
    SLOT_ERROR_MESSAGE,
    SLOT_ERROR_TYPE,
    SLOT_EVALUATION_NAME,
    SLOT_EVALUATION_SCORE,
    SLOT_MOVED,
    SLOT_NUMBER,
    SLOT_PARSED,
    SLOT_SCALAR,
    SLOT_SYSTEM,
    SLOT_BEGUN,
    SLOT_TYPE,
    SLOT_USAGE,
    VALUE_I64,
    VALUE_TEXT,
    VALUE_TIME,
    Candidate,
    Normal,
    Prefix,
    Slot,
    SlotKind,
    SpanFields,
    Table,
    is_told,
    only,
    ts_ctz64,
)
from tracestore._native.json_reader cimport Text
from tracestore._native.messages cimport SHAPE_NONE
from tracestore._native.number cimport write_i64
from tracestore._native.otlp_request cimport Request, size_of
from tracestore._native.otlp_value cimport (
    ANY_DOUBLE,
    ANY_EMPTY,
    ANY_INT,
    ANY_STRING,
    AnyValue,
    read_any,
    read_text,
    shred_any,
)
from tracestore._native.protobuf cimport Wire
from tracestore._native.span_messages cimport normal_of_events
from tracestore._native.span_payloads cimport first_of, push_normal, push_parsed, push_payload, shred_json
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.tables cimport (
    SPAN_MOVED_ATTRIBUTES,
    SPAN_NODE_ERROR,
    SPAN_NODE_INPUT,
    SPAN_NODE_METRICS,
    SPAN_NODE_OUTPUT,
    SPAN_NODE_SCORES,
    SPAN_TYPE,
)
from tracestore._native.text cimport utf8_first_bad


cdef int free_child(Request* r, uint32_t parent, const uint8_t* name, size_t size, uint32_t* child) noexcept nogil:
    # A child that this span has not set, entered; NONE where it has, or where there are too many paths.
    cdef State* s = r.v.s
    cdef uint32_t before = NONE
    cdef int status = child_find(s, parent, before, name, size, child)
    if status == TS_OK and child[0] != NONE:
        if s.nodes[child[0]].seen == s.serial:
            child[0] = NONE
        else:
            node_enter(s, child[0])
    return status


cdef int push_number(Request* r, uint32_t parent, const uint8_t* name, size_t size, const Candidate* c) noexcept nogil:
    cdef State* s = r.v.s
    cdef uint32_t child, leaf
    cdef uint64_t start_ns = r.fields.start_ns
    cdef double f64
    cdef int status
    # A time before the span's start says nothing of how long something took.
    if c.form == VALUE_TIME and (start_ns == 0 or c.word < start_ns):
        return TS_OK
    status = free_child(r, parent, name, size, &child)
    if status != TS_OK or child == NONE:
        return status
    if c.form == VALUE_I64:
        status = leaf_of(s, child, LEAF_I64, &leaf)
        if status == TS_OK:
            status = push_i64(s, leaf, <int64_t>c.word)
    else:
        memcpy(&f64, &c.word, 8)
        if c.form == VALUE_TIME:
            f64 = <double>(c.word - start_ns) / 1e9
        status = leaf_of(s, child, LEAF_F64, &leaf)
        if status == TS_OK:
            status = push_f64(s, leaf, f64)
    node_leave(s, child)
    return status


cdef int push_string(Request* r, uint32_t parent, const uint8_t* name, size_t size, const Wire* value) noexcept nogil:
    cdef State* s = r.v.s
    cdef Text text
    cdef uint32_t child, leaf
    cdef int status = read_text(&r.v, value, &text)
    if status == TS_OK:
        status = free_child(r, parent, name, size, &child)
    if status != TS_OK or child == NONE:
        return status
    status = leaf_of(s, child, LEAF_STR, &leaf)
    if status == TS_OK:
        status = push_bytes(s, leaf, text.p, text.size)
    node_leave(s, child)
    return status


cdef int push_scalar(Request* r, uint32_t parent, const uint8_t* name, size_t size, const Wire* value) noexcept nogil:
    # A string that is not empty, a number or a bool.
    cdef AnyValue any
    cdef uint32_t child
    cdef int status = read_any(&r.v, value[0], &any)
    if status != TS_OK or any.kind == ANY_EMPTY or any.kind > ANY_DOUBLE:
        return status
    if any.kind == ANY_STRING and any.bytes.p == any.bytes.end:
        return TS_OK
    status = free_child(r, parent, name, size, &child)
    if status != TS_OK or child == NONE:
        return status
    status = shred_any(&r.v, value[0], child)
    node_leave(r.v.s, child)
    return status


cdef int push_told_scalar(
    Request* r, uint32_t parent, const uint8_t* name, size_t size, const Candidate* c
) noexcept nogil:
    if c.form == VALUE_TEXT:
        return push_string(r, parent, name, size, &c.value)
    return push_scalar(r, parent, name, size, &c.value)


cdef int push_provider(
    Request* r, uint32_t parent, const uint8_t* name, size_t size, const Candidate* c
) noexcept nogil:
    # In small letters: some say `OpenAI`, others `openai`.
    cdef Buffer* out = &r.fields.source
    cdef Wire text
    cdef size_t i
    if c.form != VALUE_TEXT:
        return push_told_scalar(r, parent, name, size, c)
    out.size = 0
    if buffer_bytes(out, c.value.p, size_of(&c.value)) != 0:
        return TS_NO_MEMORY
    for i in range(out.size):
        if c'A' <= out.data[i] <= c'Z':
            out.data[i] += c'a' - c'A'
    text.p = out.data
    text.end = out.data + out.size
    return push_string(r, parent, name, size, &text)


cdef int push_member(Request* r, uint32_t parent, const uint8_t* name, size_t size, const Candidate* c) noexcept nogil:
    # One of the attributes that are copied under the rest of their name: parsed where it is JSON text.
    cdef AnyValue any
    cdef Text text
    cdef uint8_t first, second
    cdef uint32_t child
    cdef bint whole = 0
    cdef int status = read_any(&r.v, c.value, &any)
    if status != TS_OK or any.kind != ANY_STRING or not c.flags & (<int>RULE_JSON | <int>RULE_OPEN_JSON):
        return push_scalar(r, parent, name, size, &c.value) if status == TS_OK else status
    status = read_text(&r.v, &any.bytes, &text)
    if status != TS_OK or text.size == 0:
        return status
    first = first_of(&text, &second)
    if first != c'{' and first != c'[' and not c.flags & RULE_JSON:
        return push_scalar(r, parent, name, size, &c.value)
    status = free_child(r, parent, name, size, &child)
    if status != TS_OK or child == NONE:
        return status
    node_leave(r.v.s, child)
    status = shred_json(r, child, &text, &whole)
    if status == TS_OK and not whole:
        node_enter(r.v.s, child)
        status = shred_any(&r.v, c.value, child)
        node_leave(r.v.s, child)
    return status


cdef int64_t part_of(const SpanFields* f, int part) noexcept nogil:
    # A count, -1 where none was told. Beyond what a model can use, a sum says nothing and might wrap.
    cdef uint8_t at = f.table.parts[part]
    if at == <uint8_t>NO_SLOT or not is_told(f, at) or f.best[at].form != VALUE_I64:
        return -1
    return <int64_t>f.best[at].word if f.best[at].word < (<uint64_t>1 << 60) else -1


cdef inline void set_part(SpanFields* f, int part, int64_t value) noexcept nogil:
    cdef uint8_t at = f.table.parts[part]
    f.told |= <uint64_t>1 << at
    f.best[at].form = VALUE_I64
    f.best[at].word = <uint64_t>value


cdef void settle_usage(SpanFields* f) noexcept nogil:
    # Prompts count what was read from and written to a cache, completions what was reasoned; a total is the sum of
    # both. Some report the parts beside them: the total says so, or a cache larger than the whole prompt.
    cdef int64_t prompt = part_of(f, PART_PROMPT)
    cdef int64_t completion = part_of(f, PART_COMPLETION)
    cdef int64_t total = part_of(f, PART_TOTAL)
    cdef int64_t reasoning = part_of(f, PART_REASONING)
    cdef int64_t cached = 0
    cdef int64_t rest
    cached = max(part_of(f, PART_CACHED), 0) + max(part_of(f, PART_CREATED), 0)
    if prompt < 0 and completion < 0:
        return
    if is_told(f, f.table.parts[<int>PART_TOTAL]):
        rest = total - prompt - completion
        if prompt < 0 or completion < 0 or rest <= 0:
            return
        if rest == cached:
            set_part(f, PART_PROMPT, prompt + rest)
        elif reasoning >= 0 and rest == cached + reasoning:
            set_part(f, PART_PROMPT, prompt + cached)
            set_part(f, PART_COMPLETION, completion + reasoning)
        elif reasoning < 0 or rest == reasoning:
            set_part(f, PART_COMPLETION, completion + rest)
        return
    if 0 <= prompt < cached:
        prompt += cached
        set_part(f, PART_PROMPT, prompt)
    set_part(f, PART_TOTAL, max(prompt, 0) + max(completion, 0))


cdef int push_http_error(Request* r, const Candidate* c, bint message) noexcept nogil:
    # A status of HTTP is the type of an error as text, and its message where there is no other.
    cdef AnyValue any
    cdef Buffer* out = &r.v.json
    cdef Wire text
    cdef int status
    out.size = 0
    if message and buffer_bytes(out, b"HTTP ", 5) != 0:
        return TS_NO_MEMORY
    if c.form == VALUE_TEXT:
        if buffer_bytes(out, c.value.p, size_of(&c.value)) != 0:
            return TS_NO_MEMORY
    else:
        status = read_any(&r.v, c.value, &any)
        if status != TS_OK or any.kind != ANY_INT:
            return status
        if write_i64(out, <int64_t>any.word) != 0:
            return TS_NO_MEMORY
    text.p = out.data
    text.end = out.data + out.size
    if message:
        return push_string(r, SPAN_NODE_ERROR, <const uint8_t*>b"message", 7, &text)
    return push_string(r, SPAN_NODE_ERROR, <const uint8_t*>b"type", 4, &text)


cdef int push_error(
    Request* r, const Candidate* type, const Candidate* message, bint failed, const Wire* status_message
) noexcept nogil:
    # From the exception that the span recorded, else from its status, else from attributes: what says something first.
    cdef SpanFields* f = &r.fields
    cdef bint http = type != NULL and (type.flags & RULE_HTTP_STATUS) != 0
    cdef int status = TS_OK
    if f.failed:
        status = push_scalar(r, SPAN_NODE_ERROR, <const uint8_t*>b"type", 4, &f.error_type)
        if status == TS_OK:
            status = push_scalar(r, SPAN_NODE_ERROR, <const uint8_t*>b"message", 7, &f.error_message)
    if status == TS_OK and http:
        status = push_http_error(r, type, False)
    elif status == TS_OK and type != NULL:
        status = push_told_scalar(r, SPAN_NODE_ERROR, <const uint8_t*>b"type", 4, type)
    if status == TS_OK and failed and status_message.p < status_message.end:
        status = push_string(r, SPAN_NODE_ERROR, <const uint8_t*>b"message", 7, status_message)
    if status == TS_OK and message != NULL:
        status = push_told_scalar(r, SPAN_NODE_ERROR, <const uint8_t*>b"message", 7, message)
    if status == TS_OK and http:
        status = push_http_error(r, type, True)
    return status


cdef int push_evaluation(Request* r, const Candidate* name, const Candidate* score) noexcept nogil:
    cdef AnyValue any
    cdef int status
    if name == NULL or score == NULL:
        return TS_OK
    status = read_any(&r.v, name.value, &any)
    if status != TS_OK or any.kind != ANY_STRING or any.bytes.p == any.bytes.end:
        return status
    if utf8_first_bad(any.bytes.p, any.bytes.end) != any.bytes.end:
        return TS_OK
    return push_number(r, SPAN_NODE_SCORES, any.bytes.p, size_of(&any.bytes), score)


cdef int push_evaluations(Request* r) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Candidate* pairs = <Candidate*>f.evaluations.data
    cdef uint32_t i
    cdef int status
    for i in range(<uint32_t>(f.evaluations.size // (2 * sizeof(Candidate)))):
        status = push_evaluation(r, &pairs[2 * i], &pairs[2 * i + 1])
        if status != TS_OK:
            return status
    return TS_OK


cdef int push_prefixed(Request* r) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Candidate* found = <Candidate*>f.prefixed.data
    cdef const Prefix* prefix
    cdef const uint8_t* rest
    cdef uint32_t i
    cdef int status
    for i in range(<uint32_t>(f.prefixed.size // sizeof(Candidate))):
        prefix = &f.table.prefixes[found[i].prefix - 1]
        rest = found[i].key.p + prefix.size
        if utf8_first_bad(rest, found[i].key.end) != found[i].key.end:
            continue
        status = push_member(r, prefix.node, rest, found[i].key.end - rest, &found[i])
        if status != TS_OK:
            return status
    return TS_OK


cdef int push_slot(Request* r, uint32_t at, uint32_t aggregated, bint aggregating) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Slot* slot = &f.table.slots[at]
    cdef const Candidate* c = &f.best[at]
    cdef const uint8_t* name = f.table.text.data + slot.name_start
    cdef uint32_t parent = slot.node
    if slot.kind == SLOT_MOVED:
        return push_payload(r, slot, c)
    if slot.kind == SLOT_PARSED:
        return push_parsed(r, slot, c)
    if slot.kind == SLOT_SCALAR and slot.is_provider:
        return push_provider(r, parent, name, slot.name_size, c)
    if slot.kind == SLOT_SCALAR:
        return push_told_scalar(r, parent, name, slot.name_size, c)
    if slot.kind == SLOT_AGGREGATED or (slot.kind == SLOT_USAGE and aggregating):
        parent = aggregated
    elif slot.kind != SLOT_NUMBER and slot.kind != SLOT_USAGE:
        return TS_OK
    return TS_OK if parent == NONE else push_number(r, parent, name, slot.name_size, c)


cdef int find_aggregated(Request* r, uint64_t wanted, uint32_t* node) noexcept nogil:
    # `metrics.aggregated`, made when first needed; NONE where the span says something else there.
    cdef int status
    node[0] = NONE
    if not wanted:
        return TS_OK
    status = child_find(r.v.s, SPAN_NODE_METRICS, NONE, <const uint8_t*>b"aggregated", 10, node)
    if status == TS_OK and node[0] != NONE and r.v.s.nodes[node[0]].seen == r.v.s.serial:
        node[0] = NONE
    return status


cdef int push_events(Request* r, uint32_t node, int which, Buffer* messages) noexcept nogil:
    # Messages that came as events, or the system's words alone.
    cdef Normal* normal = &r.fields.normal[which]
    cdef int status = normal_of_events(r, which, messages)
    return push_normal(r, node, normal) if status == TS_OK and normal.shape != SHAPE_NONE else status


cdef int push_all_events(Request* r) noexcept nogil:
    # Messages of events where no attribute told the payload.
    cdef SpanFields* f = &r.fields
    cdef uint64_t moved = f.told & f.table.of_kind[<int>SLOT_MOVED]
    cdef bint has_input = 0
    cdef bint has_output = 0
    cdef uint32_t node
    cdef int status = TS_OK
    while moved:
        node = f.table.slots[ts_ctz64(moved)].node
        moved &= moved - 1
        has_input |= node == SPAN_NODE_INPUT
        has_output |= node == SPAN_NODE_OUTPUT
    if not has_input:
        status = push_events(r, SPAN_NODE_INPUT, 0, &f.inputs)
    if status == TS_OK and not has_output:
        status = push_events(r, SPAN_NODE_OUTPUT, 1, &f.outputs)
    return status


cdef bint is_answered(const SpanFields* f) noexcept nogil:
    cdef uint64_t moved = f.told & f.table.of_kind[<int>SLOT_MOVED]
    while moved:
        if f.table.slots[ts_ctz64(moved)].node == SPAN_NODE_OUTPUT:
            return 1
        moved &= moved - 1
    return f.outputs.size != 0


cdef bint only_began(const SpanFields* f, const Candidate* type, bint failed) noexcept nogil:
    # A call that ended when its stream began.
    if only(f, SLOT_BEGUN) == NULL or failed or f.failed or f.told & f.table.of_kind[<int>SLOT_USAGE]:
        return 0
    return size_of(&type.value) == 3 and memcmp(type.value.p, b"llm", 3) == 0 and not is_answered(f)


cdef int push_told(Request* r, bint failed) noexcept nogil:
    # What attributes told, whole values before their parts.
    cdef SpanFields* f = &r.fields
    cdef const Table* t = f.table
    cdef const Candidate* type = only(f, SLOT_TYPE)
    cdef bint aggregating = 0
    cdef uint64_t told = f.told
    cdef uint64_t usage = told & t.of_kind[<int>SLOT_USAGE]
    cdef uint64_t wanted
    cdef uint32_t aggregated = NONE
    cdef int status = TS_OK
    if type != NULL:
        aggregating = (type.flags & RULE_AGGREGATING) != 0
        if only_began(f, type, failed):
            status = push_bytes(r.v.s, SPAN_TYPE, <const uint8_t*>b"task", 4)
        else:
            status = push_bytes(r.v.s, SPAN_TYPE, type.value.p, size_of(&type.value))
    if usage:
        settle_usage(f)
        told = f.told
    if status == TS_OK:
        wanted = told & t.of_kind[<int>SLOT_AGGREGATED]
        status = find_aggregated(r, wanted | usage if aggregating else wanted, &aggregated)
    while told and status == TS_OK:
        status = push_slot(r, ts_ctz64(told), aggregated, aggregating)
        told &= told - 1
    if status == TS_OK:
        status = push_evaluation(r, only(f, SLOT_EVALUATION_NAME), only(f, SLOT_EVALUATION_SCORE))
    return status


cdef inline bint is_error_told(const SpanFields* f) noexcept nogil:
    cdef uint64_t parsed = f.told & f.table.of_kind[<int>SLOT_PARSED]
    while parsed:
        if f.table.slots[ts_ctz64(parsed)].node == SPAN_NODE_ERROR:
            return 1
        parsed &= parsed - 1
    return 0


cdef inline const Candidate* error_part(const SpanFields* f, SlotKind kind, bint failed) noexcept nogil:
    # What attributes say of an error; some say it of spans that failed only.
    cdef const Candidate* c = only(f, kind)
    if c != NULL and not failed and c.flags & RULE_FAILED:
        return NULL
    return c


cdef int fields_push(Request* r, const SpanEnd* end) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef const Candidate* type = error_part(f, SLOT_ERROR_TYPE, end.failed)
    cdef const Candidate* message = error_part(f, SLOT_ERROR_MESSAGE, end.failed)
    cdef bint has_error = end.failed or f.failed or type != NULL or message != NULL
    cdef int status = TS_OK
    f.start_ns = end.start_ns
    if f.inputs.size | f.outputs.size | (f.told & f.table.of_kind[<int>SLOT_SYSTEM]):
        status = push_all_events(r)
    if status == TS_OK and f.told:
        status = push_told(r, end.failed)
    if status == TS_OK and f.evaluations.size:
        status = push_evaluations(r)
    if status == TS_OK and f.prefixed.size:
        status = push_prefixed(r)
    # A span that says it went well has no error, whatever it caught.
    if status == TS_OK and has_error and not end.succeeded and not is_error_told(f):
        status = push_error(r, type, message, end.failed, &end.message)
    if status == TS_OK and f.moved.size:
        if buffer_u8(&f.moved, c'}') != 0:
            return TS_NO_MEMORY
        status = push_bytes(r.v.s, SPAN_MOVED_ATTRIBUTES, f.moved.data, f.moved.size)
    return status
