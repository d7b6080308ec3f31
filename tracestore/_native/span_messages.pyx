"""Messages of one span in one form: see span_messages.pxd and messages.pxd.

Of a model call every payload is read as messages, of other spans lists of messages only; of a tool the result alone
counts. Linear in the payload.
"""

from libc.stdint cimport uint32_t
from libc.string cimport memcmp, memset

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_reserve, buffer_u8
from tracestore._native.conventions cimport (
    RULE_CALLS,
    RULE_MESSAGES,
    RULE_REQUEST,
    RULE_TEXT,
    RULE_TEXTS_OF_JSON,
    SLOT_SYSTEM,
    SLOT_TYPE,
    Candidate,
    Normal,
    SpanFields,
    only,
)
from tracestore._native.json_reader cimport JsonCursor, Text, json_skip_value, json_space
from tracestore._native.message_names cimport ROLE_ASSISTANT, ROLE_SYSTEM, ROLE_USER
from tracestore._native.message_parts cimport JsonSpan
from tracestore._native.message_writer cimport Messages
from tracestore._native.messages cimport (
    MODE_ANY,
    MODE_CALL,
    MODE_DOCUMENTS,
    MODE_QUESTION,
    MODE_RESULT,
    SHAPE_LIST,
    SHAPE_NONE,
    SHAPE_VALUE,
    MessageMode,
    MessageShape,
    close_list,
    open_list,
    write_answer,
    write_event,
    write_messages,
    write_texts,
)
from tracestore._native.one_message cimport write_body
from tracestore._native.otlp_request cimport Request, size_of
from tracestore._native.otlp_value cimport (
    ANY_ARRAY,
    ANY_KVLIST,
    ANY_STRING,
    AnyValue,
    read_any,
    read_text,
    write_any,
)
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK
from tracestore._native.text cimport write_json_string


cdef inline bint is_type(const SpanFields* f, const char* word, size_t size) noexcept nogil:
    cdef const Candidate* type = only(f, SLOT_TYPE)
    return type != NULL and size_of(&type.value) == size and memcmp(type.value.p, word, size) == 0


cdef inline MessageMode mode_of(const SpanFields* f, int which) noexcept nogil:
    if is_type(f, b"llm", 3):
        return MODE_CALL
    if which == 1 and is_type(f, b"tool", 4):
        return MODE_RESULT
    if is_type(f, b"retriever", 9) or is_type(f, b"reranker", 8):
        return MODE_DOCUMENTS if which else MODE_QUESTION
    if which == 0 and is_type(f, b"embedding", 9):
        return MODE_QUESTION
    return MODE_ANY


cdef void begin(SpanFields* f, int which, Buffer* text, Buffer* items, Messages* m) noexcept nogil:
    memset(m, 0, sizeof(Messages))
    text.size = 0
    items.size = 0
    m.table = f.table
    m.out = text
    m.items = items
    m.parts = &f.parts
    m.scratch = &f.scratch
    m.decoded = &f.decoded
    m.role = ROLE_ASSISTANT if which else ROLE_USER


cdef void finish(Normal* normal, const Messages* m, MessageShape shape) noexcept nogil:
    normal.shape = shape
    normal.exact = m.exact
    normal.in_parts = m.in_parts
    normal.texts = m.text_arguments + 2 * m.text_results


# --- the system's words ---------------------------------------------------------------------------------------


cdef bint whole_value(const Buffer* text, JsonSpan* out) noexcept nogil:
    # A text as one JSON value; 0 where it is none.
    cdef JsonCursor j
    memset(&j, 0, sizeof(j))
    j.p = text.data
    j.end = text.data + text.size
    json_space(&j)
    out.p = j.p
    if j.p >= j.end or (j.p[0] != c'[' and j.p[0] != c'{') or json_skip_value(&j) != TS_OK:
        return 0
    out.end = j.p
    json_space(&j)
    return j.p == j.end


cdef int read_source(Request* r, const Candidate* c, bint as_text, bint* found) noexcept nogil:
    # The value of an attribute as JSON text in `source`; a text that is no JSON as a string of it.
    cdef Buffer* source = &r.fields.source
    cdef AnyValue any
    cdef Text text
    cdef JsonSpan value
    cdef int status = read_any(&r.v, c.value, &any)
    found[0] = 0
    source.size = 0
    if status != TS_OK:
        return status
    if any.kind == ANY_ARRAY or any.kind == ANY_KVLIST:
        found[0] = 1
        r.v.depth = 0
        return write_any(&r.v, c.value, source)
    if any.kind != ANY_STRING:
        return TS_OK
    status = read_text(&r.v, &any.bytes, &text)
    if status != TS_OK:
        return status
    if buffer_bytes(source, text.p, text.size) != 0:
        return TS_NO_MEMORY
    found[0] = whole_value(source, &value)
    if found[0] or not as_text or text.size == 0:
        return TS_OK
    found[0] = 1
    source.size = 0
    return TS_NO_MEMORY if write_json_string(source, text.p, text.size) != 0 else <int>TS_OK


cdef int write_system(Request* r, Messages* m) noexcept nogil:
    # The system's words as the one message of a list that was begun; none where there are none.
    cdef SpanFields* f = &r.fields
    cdef const Candidate* c = only(f, SLOT_SYSTEM)
    cdef JsonSpan body
    cdef bint found
    cdef int status
    if c == NULL:
        return TS_OK
    status = read_source(r, c, True, &found)
    if status != TS_OK or not found:
        return status
    body.p = f.source.data
    body.end = body.p + f.source.size
    return write_body(m, ROLE_SYSTEM, &body)


cdef int put_first(Normal* normal, const Buffer* text, const Buffer* items) noexcept nogil:
    # Puts one message, `[` and its text, before those that are there.
    cdef size_t shift = text.size
    cdef size_t count = normal.items.size // sizeof(size_t)
    cdef size_t* places
    cdef size_t i
    if buffer_reserve(&normal.text, shift) != 0 or buffer_reserve(&normal.items, 2 * sizeof(size_t)) != 0:
        return TS_NO_MEMORY
    i = normal.text.size
    # The bracket of the list becomes the comma behind the message.
    while i:
        i -= 1
        normal.text.data[i + shift] = normal.text.data[i]
    for i in range(shift):
        normal.text.data[i] = text.data[i]
    normal.text.data[shift] = c','
    normal.text.size += shift
    places = <size_t*>normal.items.data
    i = count
    while i:
        i -= 1
        places[i + 2] = places[i] + shift
    places[0] = (<const size_t*>items.data)[0]
    places[1] = (<const size_t*>items.data)[1]
    normal.items.size += 2 * sizeof(size_t)
    return TS_OK


cdef int add_system(Request* r, Normal* normal) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Messages m
    cdef int status
    begin(f, 0, &f.system, &f.places, &m)
    status = open_list(&m)
    if status == TS_OK:
        status = write_system(r, &m)
    if status == TS_OK and m.count == 1:
        normal.exact = 0
        status = put_first(normal, &f.system, &f.places)
    return status


# --- payloads ---------------------------------------------------------------------------------------------------


cdef const Candidate* other_half(const Candidate* c, const Candidate* waiting, uint32_t count) noexcept nogil:
    # The calls of an answer beside its text, or its text beside the calls; NULL where it is alone.
    cdef int wanted = RULE_CALLS if c.flags & RULE_TEXT else RULE_TEXT
    cdef uint32_t i
    for i in range(count):
        if waiting[i].slot == c.slot and waiting[i].flags & wanted and not waiting[i].empty:
            return &waiting[i]
    return NULL


cdef int write_joined(
    Request* r, Messages* m, const Candidate* text, const Candidate* calls, MessageShape* shape
) noexcept nogil:
    # One answer out of two attributes.
    cdef SpanFields* f = &r.fields
    cdef JsonSpan said, called
    cdef AnyValue any
    cdef Text found_text
    cdef bint found = 0
    cdef int status = TS_OK
    said.p = said.end = called.p = called.end = NULL
    f.system.size = 0
    if text != NULL:
        status = read_any(&r.v, text.value, &any)
        if status != TS_OK or any.kind != ANY_STRING:
            return status
        status = read_text(&r.v, &any.bytes, &found_text)
        if status != TS_OK:
            return status
        if write_json_string(&f.system, found_text.p, found_text.size) != 0:
            return TS_NO_MEMORY
        said.p = f.system.data
        said.end = said.p + f.system.size
    if status == TS_OK and calls != NULL:
        status = read_source(r, calls, False, &found)
        called.p = f.source.data
        called.end = called.p + f.source.size
        if status != TS_OK or not found or called.p[0] != c'[':
            return status
    if status == TS_OK:
        status = open_list(m)
    if status == TS_OK:
        status = write_answer(m, &said, &called)
    if status == TS_OK:
        status = close_list(m)
    shape[0] = SHAPE_LIST
    return status


cdef int normal_of(
    Request* r, int which, Candidate* c, const Candidate* waiting, uint32_t count, bint* hollow
) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Normal* normal = &f.normal[which]
    cdef MessageMode mode = mode_of(f, which)
    cdef MessageShape shape = SHAPE_NONE
    cdef const Candidate* half = NULL
    cdef Messages m
    cdef AnyValue any
    cdef Text text
    cdef bint found = 1
    cdef bint has_system = which == 0 and only(f, SLOT_SYSTEM) != NULL
    cdef int status
    hollow[0] = 0
    normal.shape = SHAPE_NONE
    normal.from_text = 0
    if c.empty or not c.flags & RULE_MESSAGES:
        return TS_OK
    if c.flags & RULE_REQUEST:
        mode = MODE_CALL
    begin(f, which, &normal.text, &normal.items, &m)
    if c.flags & RULE_TEXTS_OF_JSON:
        status = read_source(r, c, False, &found)
        if status == TS_OK and found:
            status = write_texts(&m, f.source.data, f.source.size, &shape)
    elif mode == MODE_CALL and c.flags & (<int>RULE_TEXT | <int>RULE_CALLS):
        half = other_half(c, waiting, count)
        if c.flags & RULE_TEXT:
            status = write_joined(r, &m, c, half, &shape)
        else:
            status = write_joined(r, &m, half, c, &shape)
    elif c.prefix:
        status = write_messages(&m, f.texts.data + c.text_start, c.text_end - c.text_start, mode, &shape)
    else:
        status = read_any(&r.v, c.value, &any)
        if status == TS_OK and any.kind == ANY_STRING:
            status = read_text(&r.v, &any.bytes, &text)
            if status == TS_OK:
                normal.from_text = 1
                status = write_messages(&m, text.p, text.size, mode, &shape)
        if status == TS_OK and shape == SHAPE_NONE and (any.kind != ANY_STRING or mode == MODE_CALL or has_system):
            # A text that is no JSON is what one side said.
            status = read_source(r, c, mode == MODE_CALL or has_system, &found)
            if status == TS_OK and found and (any.kind != ANY_STRING or f.source.data[0] == c'"'):
                if f.source.data[0] == c'"':
                    mode = MODE_CALL
                status = write_messages(&m, f.source.data, f.source.size, mode, &shape)
    if status != TS_OK or shape == SHAPE_NONE:
        return status
    hollow[0] = shape == SHAPE_LIST and not m.has_content
    finish(normal, &m, shape)
    if m.in_parts and not normal.from_text:
        # The note of what moved has no word for it.
        normal.exact = 0
    if has_system and shape == SHAPE_LIST and not m.has_system:
        status = add_system(r, normal)
    return status


cdef int normal_of_events(Request* r, int which, Buffer* messages) noexcept nogil:
    cdef SpanFields* f = &r.fields
    cdef Normal* normal = &f.normal[which]
    cdef MessageShape shape = SHAPE_NONE
    cdef Messages m
    cdef int status
    normal.shape = SHAPE_NONE
    begin(f, which, &normal.text, &normal.items, &m)
    if messages.size == 0:
        status = open_list(&m)
        if status == TS_OK and which == 0:
            status = write_system(r, &m)
        if status == TS_OK:
            status = close_list(&m)
        if m.count:
            shape = SHAPE_LIST
    else:
        messages.data[0] = c'['
        if buffer_u8(messages, c']') != 0:
            return TS_NO_MEMORY
        if is_type(f, b"tool", 4):
            status = write_event(&m, messages.data, messages.size, &shape)
        else:
            status = write_messages(&m, messages.data, messages.size, MODE_CALL, &shape)
        if status == TS_OK and shape == SHAPE_NONE:
            # No messages after all: the list as it is.
            normal.text.size = 0
            shape = SHAPE_VALUE
            status = TS_NO_MEMORY if buffer_bytes(&normal.text, messages.data, messages.size) != 0 else <int>TS_OK
    if status != TS_OK:
        return status
    finish(normal, &m, shape)
    if which == 0 and messages.size and shape == SHAPE_LIST and not m.has_system:
        status = add_system(r, normal)
    return status
