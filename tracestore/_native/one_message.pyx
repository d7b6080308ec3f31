"""One message, whoever spelled it: see one_message.pxd.

Read where it lies, member by member, and written anew. Linear in the text, once for each level that is looked into.
"""

from libc.stdint cimport uint32_t, uint8_t
from libc.string cimport memcmp, memset, strlen

from tracestore._native.buffer cimport buffer_bytes
from tracestore._native.message_names cimport (
    FIELD_CALL,
    FIELD_CALLS,
    FIELD_CALL_ID,
    FIELD_CONTENT,
    FIELD_CONTENTS,
    FIELD_DROPPED,
    FIELD_FINISH_REASON,
    FIELD_FUNCTION,
    FIELD_ID,
    FIELD_INNER,
    FIELD_NAME,
    FIELD_PARTS,
    FIELD_REASONING,
    FIELD_ROLE,
    FIELD_TEXT,
    FIELD_TYPE,
    NAME_PART,
    NAME_ROLE,
    PART_CALL,
    PART_MESSAGE,
    PART_OTHER,
    PART_REASONED,
    PART_RESULT,
    ROLE_ASSISTANT,
    ROLE_OTHER,
    ROLE_TOOL,
    ROLE_USER,
)
from tracestore._native.message_parts cimport (
    JsonSpan,
    Object,
    Part,
    is_blank,
    is_open,
    is_set,
    is_text,
    is_word,
    member,
    named,
    next_item,
    read_object,
    read_parts,
)
from tracestore._native.message_writer cimport (
    Message,
    Messages,
    begin_message,
    count_said,
    end_message,
    inner_json,
    put,
    put_calls,
    put_content,
    put_member,
    put_other,
    put_reasoning,
    put_result,
    role_name,
    write_result,
)
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK

cdef enum:
    # Objects around the members of one message: a choice, its message, the arguments of a constructor.
    MAX_WRAPPERS = 4


# --- one message ------------------------------------------------------------------------------------------------


cdef void find_role(Messages* m, Message* message) noexcept nogil:
    # Who speaks: the role, the word of a type, or the name of a class. The object nearest to the members wins.
    cdef JsonSpan text = member(&message.members, FIELD_ROLE)
    cdef JsonSpan at, item
    cdef uint8_t role
    if is_text(&text) and text.end - text.p > 2:
        message.role = named(m.table, NAME_ROLE, &text)
        message.role_text = text
        if message.role == ROLE_OTHER or not is_role_name(&text, message.role):
            m.exact = m.exact and message.role == ROLE_OTHER
        return
    text = member(&message.members, FIELD_TYPE)
    role = named(m.table, NAME_ROLE, &text)
    at = member(&message.members, FIELD_ID)
    while role == 0 and next_item(&at, &item):
        role = named(m.table, NAME_ROLE, &item)
    if role:
        # A class of LangChain's: its empty members say nothing.
        m.exact = 0
        message.nested = 1
        message.role = role
        message.role_text = text


cdef inline bint is_role_name(const JsonSpan* text, uint8_t role) noexcept nogil:
    cdef size_t size = strlen(role_name(role))
    return <size_t>(text.end - text.p) == size + 2 and memcmp(text.p + 1, role_name(role), size) == 0


cdef bint has_body(const Object* o) noexcept nogil:
    cdef JsonSpan value = member(o, FIELD_CONTENT)
    if is_set(&value):
        return 1
    value = member(o, FIELD_PARTS)
    if is_set(&value):
        return 1
    value = member(o, FIELD_CONTENTS)
    if is_set(&value):
        return 1
    value = member(o, FIELD_CALLS)
    return is_set(&value)


cdef bint read_message(Messages* m, const JsonSpan* value, Message* message, bint deep) noexcept nogil:
    # Finds the members of a message, inside what stands around them; 0 where it is none.
    cdef JsonSpan inner, type
    cdef int _level
    memset(&message.role_text, 0, sizeof(JsonSpan))
    memset(&message.finish_reason, 0, sizeof(JsonSpan))
    message.role = 0
    message.nested = 0
    message.sealed = 0
    message.kind = 0
    message.whole = value[0]
    if not read_object(m.table, value, &message.members):
        return 0
    for _level in range(MAX_WRAPPERS):
        find_role(m, message)
        inner = member(&message.members, FIELD_FINISH_REASON)
        if is_text(&inner):
            message.finish_reason = inner
        inner = member(&message.members, FIELD_CONTENT)
        if not is_open(&inner, c'{') or not has_parts(m, &inner):
            if has_body(&message.members):
                return message.role != 0 or message.role_text.p != NULL or deep
            inner = member(&message.members, FIELD_INNER)
        if not is_open(&inner, c'{') or not read_object(m.table, &inner, &message.members):
            break
        message.nested = 1
        m.exact = 0
    if message.role or message.role_text.p != NULL:
        return 1
    type = member(&message.members, FIELD_TYPE)
    message.kind = named(m.table, NAME_PART, &type)
    if message.kind == PART_CALL or message.kind == PART_RESULT or message.kind == PART_REASONED:
        m.exact = 0
        message.role = ROLE_ASSISTANT
        return 1
    message.kind = 0
    inner = member(&message.members, FIELD_CALL)
    if is_open(&inner, c'{'):
        # A call and nothing else.
        m.exact = 0
        message.role = ROLE_ASSISTANT
        return deep
    inner = member(&message.members, FIELD_TEXT)
    return deep and is_text(&inner)


cdef bint has_parts(Messages* m, const JsonSpan* value) noexcept nogil:
    cdef Object o
    cdef JsonSpan parts
    if not read_object(m.table, value, &o):
        return 0
    parts = member(&o, FIELD_PARTS)
    return is_open(&parts, c'[')


cdef JsonSpan body_of(Messages* m, const Message* message, uint8_t* field) noexcept nogil:
    # What is said: `content` where it says something, else lists of parts, else a text under another name.
    cdef const Object* o = &message.members
    cdef JsonSpan content = member(o, FIELD_CONTENT)
    cdef JsonSpan other = member(o, FIELD_PARTS)
    field[0] = FIELD_CONTENT
    if not is_blank(&content):
        return content
    if other.p == NULL:
        other = member(o, FIELD_CONTENTS)
        field[0] = FIELD_CONTENTS
    else:
        field[0] = FIELD_PARTS
    if other.p == NULL and content.p == NULL:
        other = member(o, FIELD_INNER)
        field[0] = FIELD_INNER
        if not is_text(&other):
            other = member(o, FIELD_TEXT)
            field[0] = FIELD_TEXT
        if not is_text(&other):
            other.p = other.end = NULL
    if other.p == NULL:
        field[0] = FIELD_CONTENT
        return content
    return other


cdef int read_body(Messages* m, const JsonSpan* body, bint tool) noexcept nogil:
    # The parts of a body. A text that is itself a list of parts is read as one; of a tool, a list of results.
    cdef JsonSpan inner
    cdef size_t start = m.parts.size
    cdef size_t i
    cdef bint known = 1
    cdef bint fits
    cdef int status
    if is_text(body) and body.end - body.p > 8 and body.p[1] == c'[' and inner_json(m, body, &inner):
        m.decoded.size = 0
        if buffer_bytes(m.decoded, inner.p, inner.end - inner.p) != 0:
            return TS_NO_MEMORY
        inner.p = m.decoded.data
        inner.end = inner.p + m.decoded.size
        status = read_parts(m.table, m.parts, &inner, &fits)
        if status != TS_OK:
            return status
        for i in range((m.parts.size - start) // sizeof(Part)):
            known = known and (<Part*>(m.parts.data + start))[i].kind != PART_OTHER
            known = known and is_open(&(<Part*>(m.parts.data + start))[i].value, c'{')
            known = known and (not tool or (<Part*>(m.parts.data + start))[i].kind == PART_RESULT)
        if known and fits and m.parts.size > start:
            m.exact = 0
            return TS_OK
        m.parts.size = start
    if tool and not is_open(body, c'['):
        return TS_OK
    status = read_parts(m.table, m.parts, body, &fits)
    if not fits:
        m.fits = 0
    return status


cdef bint is_used(const Message* message, uint32_t i, const JsonSpan* body, const JsonSpan* id) noexcept nogil:
    # Whether a member was said already under a name of the one form.
    cdef uint8_t field = message.members.members[i].field
    cdef const JsonSpan* value = &message.members.members[i].value
    if value.p == body.p or value.p == id.p:
        return 1
    if field == FIELD_ROLE or field == FIELD_CALLS or field == FIELD_DROPPED or field == FIELD_FINISH_REASON:
        return 1
    if field == FIELD_PARTS or field == FIELD_CONTENTS or field == FIELD_CONTENT or field == FIELD_REASONING:
        return 1
    if field == FIELD_CALL:
        return message.nested or is_open(value, c'{')
    if message.sealed:
        return field != FIELD_NAME or not is_set(value)
    if message.nested:
        return not is_set(value) or field == FIELD_ID or field == FIELD_TYPE or field == FIELD_TEXT
    if field == FIELD_TYPE:
        return message.role_text.p == value.p
    return 0


cdef int put_rest(Messages* m, const Message* message, const JsonSpan* body, const JsonSpan* id) noexcept nogil:
    # What else a message says, under its own names.
    cdef const Object* o = &message.members
    cdef JsonSpan type
    cdef uint8_t field
    cdef uint32_t i
    cdef int status = TS_OK
    if message.finish_reason.p != NULL:
        status = put_member(m, b',"finish_reason":', &message.finish_reason)
    for i in range(o.count):
        if status != TS_OK:
            return status
        field = o.members[i].field
        if field == FIELD_DROPPED or field == FIELD_REASONING:
            m.exact = 0
        if field == FIELD_CALL_ID and not is_word(&o.members[i].key, b'"tool_call_id"'):
            m.exact = 0
        if field == FIELD_FINISH_REASON and not is_word(&o.members[i].key, b'"finish_reason"'):
            m.exact = 0
        if field == FIELD_FINISH_REASON and message.finish_reason.p != o.members[i].value.p:
            m.exact = 0
        if field == FIELD_CALLS and not is_open(&o.members[i].value, c'['):
            m.exact = 0
        if (field == FIELD_CONTENT or field == FIELD_CONTENTS or field == FIELD_PARTS) and (
            o.members[i].value.p != body.p
        ):
            m.exact = 0
        if is_used(message, i, body, id):
            continue
        type = o.members[i].value
        if field == FIELD_TYPE and named(m.table, NAME_PART, &type) == PART_MESSAGE:
            m.exact = 0
            continue
        status = put_other(m, o, i)
    return status


cdef int write_main(
    Messages* m, const Message* message, const JsonSpan* body, uint8_t field, Part* parts, uint32_t count
) noexcept nogil:
    # A message without the results among its parts, which came before it.
    cdef const Object* o = &message.members
    cdef JsonSpan calls = member(o, FIELD_CALLS)
    cdef JsonSpan call = member(o, FIELD_CALL)
    cdef JsonSpan reasoning = member(o, FIELD_REASONING)
    cdef JsonSpan id = member(o, FIELD_CALL_ID)
    cdef bint is_tool = message.role == ROLE_TOOL
    cdef bint has_calls = is_open(&calls, c'[') or is_open(&call, c'{')
    cdef uint32_t i, said
    cdef int status = begin_message(m, message, message.role)
    for i in range(count):
        has_calls |= parts[i].kind == PART_CALL
    if is_tool and not is_set(&id):
        id = member(o, FIELD_ID)
        if is_text(&id) and not message.nested:
            m.exact = 0
        else:
            id.p = id.end = NULL
    if status == TS_OK and is_set(&id) and is_tool:
        status = put_member(m, b',"tool_call_id":', &id)
    if status == TS_OK and is_tool and is_set(body):
        status = put(m, b',"content":')
        if m.in_parts:
            m.exact = 0
        if status == TS_OK:
            status = put_result(m, body)
        count = 0
    elif status == TS_OK:
        said = count_said(m, parts, count, has_calls)
        if said:
            status = put_content(m, parts, count, said, is_open(body, c'['))
        elif body.p != NULL and field == FIELD_CONTENT and not is_set(body) and not message.nested:
            status = put(m, b',"content":null')
        elif body.p != NULL and field == FIELD_CONTENT and is_text(body) and not has_calls:
            status = put(m, b',"content":""')
        elif body.p != NULL and field != FIELD_PARTS:
            m.exact = 0
    if status == TS_OK:
        status = put_reasoning(m, &reasoning, parts, count)
    if status == TS_OK:
        status = put_calls(m, &calls, &call, parts, count)
    if status == TS_OK and not is_tool:
        id.p = id.end = NULL
    if status == TS_OK:
        status = put_rest(m, message, body, &id)
    return end_message(m) if status == TS_OK else status


cdef int write_parts_of(Messages* m, Message* message, const JsonSpan* body, uint8_t field) noexcept nogil:
    # Results first, each as a message of its own; then what is left.
    cdef size_t start = m.parts.size
    cdef Part* parts
    cdef Part whole
    cdef uint32_t count, i
    cdef uint32_t results = 0
    cdef int status
    if message.kind:
        whole.value = message.whole
        whole.kind = message.kind
        status = TS_NO_MEMORY if buffer_bytes(m.parts, &whole, sizeof(Part)) != 0 else <int>TS_OK
    else:
        status = read_body(m, body, message.role == ROLE_TOOL)
    if status != TS_OK or not m.fits:
        return status
    parts = <Part*>(m.parts.data + start)
    count = <uint32_t>((m.parts.size - start) // sizeof(Part))
    if field == FIELD_PARTS:
        m.in_parts = 1
    else:
        m.in_content = 1
        m.exact = m.exact and (field == FIELD_CONTENT)
    for i in range(count):
        if parts[i].kind == PART_RESULT:
            status = write_result(m, &parts[i].value)
            results += 1
            if status != TS_OK:
                return status
    if results and (not m.in_parts or results > 1 or results < count or message.role != ROLE_TOOL):
        m.exact = 0
    if results and message.members.count != 2:
        m.exact = 0
    if results == 0 or results < count:
        if results:
            # The other parts alone are what is said.
            message.role = ROLE_USER if message.role == ROLE_TOOL else message.role
        if message.kind:
            message.members.count = 0
        status = write_main(m, message, body, field, parts, count)
    m.parts.size = start
    return status


cdef int write_message(Messages* m, const JsonSpan* value, bint deep, bint sealed) noexcept nogil:
    cdef Message message
    cdef JsonSpan body
    cdef uint8_t field
    if not read_message(m, value, &message, deep):
        m.fits = 0
        return TS_OK
    message.sealed = sealed
    if is_tool_offered(m, &message):
        m.exact = 0
        return TS_OK
    if message.role == 0 and message.role_text.p == NULL:
        message.role = m.role
        m.exact = 0
    body = body_of(m, &message, &field)
    if message.kind:
        body.p = body.end = NULL
        field = FIELD_CONTENT
    return write_parts_of(m, &message, &body, field)


cdef bint is_tool_offered(Messages* m, const Message* message) noexcept nogil:
    # LangChain's callbacks list the tools of a call behind its messages, as if these were results.
    cdef JsonSpan id = member(&message.members, FIELD_CALL_ID)
    cdef JsonSpan content = member(&message.members, FIELD_CONTENT)
    cdef Object o
    if message.role != ROLE_TOOL or is_set(&id) or not is_open(&content, c'{'):
        return 0
    if not read_object(m.table, &content, &o):
        return 0
    content = member(&o, FIELD_FUNCTION)
    return is_open(&content, c'{')


cdef int write_body(Messages* m, uint8_t role, const JsonSpan* body) noexcept nogil:
    cdef Message message
    memset(&message, 0, sizeof(Message))
    message.role = role
    m.exact = 0
    return write_parts_of(m, &message, body, FIELD_CONTENT)
