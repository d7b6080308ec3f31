"""Members of messages, written in the one form: see message_writer.pxd.

Values are copied as they lie, without their white space; what is text of JSON where a value is meant is parsed. Linear
in what is written.
"""

from libc.stdint cimport uint32_t, uint8_t
from libc.string cimport memcmp, memset, strlen

from tracestore._native.buffer cimport buffer_bytes, buffer_u8
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_copy_value,
    json_skip_value,
    json_space,
    json_string,
)
from tracestore._native.message_names cimport (
    FIELD_ANSWER,
    FIELD_ARGUMENTS,
    FIELD_CALL,
    FIELD_CALL_ID,
    FIELD_CONTENT,
    FIELD_FUNCTION,
    FIELD_ID,
    FIELD_IMAGE,
    FIELD_INNER,
    FIELD_MEDIA_TYPE,
    FIELD_NAME,
    FIELD_REASONING,
    FIELD_RESULT,
    FIELD_TEXT,
    FIELD_TYPE,
    FIELD_VALUE,
    PART_CALL,
    PART_IMAGE,
    PART_MESSAGE,
    PART_NOTHING,
    PART_OTHER,
    PART_REASONED,
    PART_TEXT,
    ROLE_OTHER,
    ROLE_SYSTEM,
    ROLE_TOOL,
)
from tracestore._native.message_parts cimport (
    JsonSpan,
    Object,
    Part,
    is_blank,
    is_open,
    is_set,
    is_spelled,
    is_text,
    is_word,
    member,
    next_item,
    read_object,
)
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK

cdef enum:
    # Objects around the address of an image.
    MAX_NESTED = 4

cdef const char** ROLE_WORDS = [b"", b"system", b"user", b"assistant", b"tool"]


cdef const char* role_name(uint8_t role) noexcept nogil:
    return ROLE_WORDS[role]


# --- writing ----------------------------------------------------------------------------------------------


cdef int put(Messages* m, const char* text) noexcept nogil:
    return TS_NO_MEMORY if buffer_bytes(m.out, text, strlen(text)) != 0 else <int>TS_OK


cdef int put_value(Messages* m, const JsonSpan* value) noexcept nogil:
    # A value as it came, without its white space.
    cdef JsonCursor j
    memset(&j, 0, sizeof(j))
    j.p = value.p
    j.end = value.end
    return TS_NO_MEMORY if json_copy_value(&j, m.out) == TS_NO_MEMORY else <int>TS_OK


cdef int put_member(Messages* m, const char* key, const JsonSpan* value) noexcept nogil:
    # `key` with its quotes, its colon and the comma before.
    cdef int status = put(m, key)
    return put_value(m, value) if status == TS_OK else status


cdef bint inner_json(Messages* m, const JsonSpan* text, JsonSpan* inner) noexcept nogil:
    # The object or list that a text holds; 0 where it holds none. It lies in the text, or in `scratch`.
    cdef JsonCursor j
    cdef Text found
    memset(&j, 0, sizeof(j))
    j.p = text.p
    j.end = text.end
    if json_string(&j, m.scratch, &found) != TS_OK:
        return 0
    memset(&j, 0, sizeof(j))
    j.p = found.p
    j.end = found.p + found.size
    json_space(&j)
    if j.p >= j.end or (j.p[0] != c'{' and j.p[0] != c'['):
        return 0
    inner.p = j.p
    if json_skip_value(&j) != TS_OK:
        return 0
    inner.end = j.p
    json_space(&j)
    return j.p == j.end


cdef int put_parsed(Messages* m, const JsonSpan* value, bint* from_text, bint* from_value) noexcept nogil:
    cdef JsonSpan inner
    if is_text(value):
        if not inner_json(m, value, &inner):
            return put_value(m, value)
        from_text[0] = 1
        return put_value(m, &inner)
    from_value[0] = 1
    return put_value(m, value)


cdef int begin_item(Messages* m) noexcept nogil:
    cdef size_t start
    if m.count and buffer_u8(m.out, c',') != 0:
        return TS_NO_MEMORY
    start = m.out.size
    return TS_NO_MEMORY if buffer_bytes(m.items, &start, sizeof(size_t)) != 0 else <int>TS_OK


cdef int begin_message(Messages* m, const Message* message, uint8_t role) noexcept nogil:
    if begin_item(m) != TS_OK:
        return TS_NO_MEMORY
    if m.count == 0 and role == ROLE_SYSTEM:
        m.has_system = 1
    m.count += 1
    if role == ROLE_OTHER:
        return put_member(m, b'{"role":', &message.role_text)
    if put(m, b'{"role":"') != TS_OK or put(m, ROLE_WORDS[role]) != TS_OK:
        return TS_NO_MEMORY
    return put(m, b'"')


cdef int end_message(Messages* m) noexcept nogil:
    cdef size_t end
    if buffer_u8(m.out, c'}') != 0:
        return TS_NO_MEMORY
    end = m.out.size
    return TS_NO_MEMORY if buffer_bytes(m.items, &end, sizeof(size_t)) != 0 else <int>TS_OK


# --- calls and their results ----------------------------------------------------------------------------------


cdef int put_call(Messages* m, const JsonSpan* value, bint in_parts) noexcept nogil:
    # `{"id": …, "function": {"name": …, "arguments": …}}`.
    cdef Object o, function
    cdef JsonSpan inner, id, name, arguments
    cdef uint32_t i
    cdef bint own = 0
    cdef int status
    if not read_object(m.table, value, &o):
        m.exact = 0
        return put_value(m, value)
    inner = member(&o, FIELD_CALL)
    if is_open(&inner, c'{') and read_object(m.table, &inner, &function):
        m.exact = 0
        o = function
    inner = member(&o, FIELD_FUNCTION)
    own = is_open(&inner, c'{') and read_object(m.table, &inner, &function)
    id = member(&o, FIELD_CALL_ID)
    if not is_set(&id):
        id = member(&o, FIELD_ID)
    elif in_parts or own:
        m.exact = 0
    name = member(&function if own else &o, FIELD_NAME)
    arguments = member(&function if own else &o, FIELD_ARGUMENTS)
    if own == in_parts:
        m.exact = 0
    if not is_spelled(&function if own else &o, FIELD_ARGUMENTS, b'"arguments"') and arguments.p != NULL:
        m.exact = 0
    if in_parts and not (o.count == 4 and is_set(&id) and is_set(&name) and arguments.p != NULL):
        m.exact = 0
    inner = member(&o, FIELD_TYPE)
    if in_parts and not is_word(&inner, b'"tool_call"'):
        m.exact = 0
    status = put(m, b"{")
    if status == TS_OK and is_set(&id):
        status = put_member(m, b'"id":', &id)
        if status == TS_OK:
            status = put(m, b",")
    if status == TS_OK:
        status = put(m, b'"function":{')
    if status == TS_OK and name.p != NULL:
        status = put_member(m, b'"name":', &name)
    if status == TS_OK and arguments.p != NULL:
        status = put(m, b',"arguments":' if name.p != NULL else b'"arguments":')
        if status == TS_OK:
            status = put_parsed(m, &arguments, &m.text_arguments, &m.value_arguments)
    if own and function.count != <uint32_t>(name.p != NULL) + <uint32_t>(arguments.p != NULL):
        m.exact = 0
    if status == TS_OK:
        status = put(m, b"}")
    for i in range(o.count):
        if status != TS_OK or not own:
            break
        # What else a call says stays beside: `"type": "function"`.
        if o.members[i].field == FIELD_FUNCTION or o.members[i].field == FIELD_ID or o.members[i].value.p == id.p:
            continue
        status = put_other(m, &o, i)
    return put(m, b"}") if status == TS_OK else status


cdef int put_other(Messages* m, const Object* o, uint32_t i) noexcept nogil:
    # A member under its own name.
    if buffer_u8(m.out, c',') != 0 or put_value(m, &o.members[i].key) != TS_OK:
        return TS_NO_MEMORY
    if buffer_u8(m.out, c':') != 0:
        return TS_NO_MEMORY
    return put_value(m, &o.members[i].value)


cdef JsonSpan alone(Messages* m, const JsonSpan* value) noexcept nogil:
    # What a result says where it stands inside a list of one text, or beside its type.
    cdef JsonSpan at = value[0]
    cdef JsonSpan first, second, inner
    cdef Object o
    if is_open(value, c'[') and next_item(&at, &first) and not next_item(&at, &second):
        if read_object(m.table, &first, &o):
            inner = member(&o, FIELD_TEXT)
            if not is_set(&inner):
                inner = member(&o, FIELD_VALUE)
            if is_set(&inner) and o.count <= 2:
                m.exact = 0
                return inner
    elif is_open(value, c'{') and read_object(m.table, value, &o) and o.count == 2:
        first = member(&o, FIELD_TYPE)
        inner = member(&o, FIELD_VALUE)
        if is_text(&first) and inner.p != NULL:
            m.exact = 0
            return inner
    return value[0]


cdef int put_result(Messages* m, const JsonSpan* value) noexcept nogil:
    cdef JsonSpan said = alone(m, value)
    cdef JsonSpan inner
    m.has_content = 1
    if is_text(&said) and inner_json(m, &said, &inner):
        m.text_results = 1
        said = alone(m, &inner)
        return put_value(m, &said)
    if not is_text(&said):
        m.value_results = 1
    return put_value(m, &said)


cdef int write_result(Messages* m, const JsonSpan* value) noexcept nogil:
    # A part that is the result of a call, as a message of its own.
    cdef Object o, inner_object
    cdef JsonSpan inner, id, said, name
    cdef int status
    if not read_object(m.table, value, &o):
        m.exact = 0
        return TS_OK
    inner = member(&o, FIELD_ANSWER)
    if is_open(&inner, c'{') and read_object(m.table, &inner, &inner_object):
        m.exact = 0
        o = inner_object
    id = member(&o, FIELD_CALL_ID)
    if not is_set(&id):
        id = member(&o, FIELD_ID)
    else:
        m.exact = 0
    said = member(&o, FIELD_RESULT)
    if said.p == NULL:
        said = member(&o, FIELD_CONTENT)
        m.exact = 0
    name = member(&o, FIELD_NAME)
    inner = member(&o, FIELD_TYPE)
    if o.count != 3 or not is_set(&id) or not is_word(&inner, b'"tool_call_response"'):
        m.exact = 0
    if not is_spelled(&o, FIELD_RESULT, b'"response"'):
        m.exact = 0
    status = begin_message(m, NULL, ROLE_TOOL)
    if status == TS_OK and is_set(&id):
        status = put_member(m, b',"tool_call_id":', &id)
    if status == TS_OK and is_set(&name):
        status = put_member(m, b',"name":', &name)
    if status == TS_OK and said.p != NULL:
        status = put(m, b',"content":')
        if status == TS_OK:
            status = put_result(m, &said)
    return end_message(m) if status == TS_OK else status


# --- images ---------------------------------------------------------------------------------------------------


cdef bint image_source(
    Messages* m, const JsonSpan* value, JsonSpan* url, JsonSpan* kind, bint* data
) noexcept nogil:
    # The address of an image, or its data and their kind, in the objects around it.
    cdef JsonSpan at = value[0]
    cdef JsonSpan inner
    cdef Object o
    cdef int _level
    kind.p = kind.end = NULL
    data[0] = 0
    for _level in range(MAX_NESTED):
        if is_text(&at):
            url[0] = at
            return 1
        if not read_object(m.table, &at, &o):
            return 0
        inner = member(&o, FIELD_MEDIA_TYPE)
        if is_text(&inner):
            kind[0] = inner
        inner = member(&o, FIELD_IMAGE)
        if not is_set(&inner):
            inner = member(&o, FIELD_INNER)
            if not is_text(&inner):
                inner = member(&o, FIELD_CONTENT)
            data[0] = is_text(&inner)
            if not data[0]:
                return 0
        at = inner
    return 0


cdef int put_image(Messages* m, const JsonSpan* value) noexcept nogil:
    # `{"type": "image", "url": …}`: an address, or data with their kind as an address.
    cdef JsonSpan url, kind
    cdef bint data
    cdef int status
    m.exact = 0
    if not image_source(m, value, &url, &kind, &data):
        return put_value(m, value)
    status = put(m, b'{"type":"image","url":')
    if status == TS_OK and data and not (url.end - url.p > 6 and memcmp(url.p, b'"data:', 6) == 0):
        status = put(m, b'"data:')
        if status == TS_OK and kind.p != NULL:
            status = TS_NO_MEMORY if buffer_bytes(m.out, kind.p + 1, kind.end - kind.p - 2) != 0 else <int>TS_OK
        if status == TS_OK:
            status = put(m, b"image/png;base64," if kind.p == NULL else b";base64,")
        if status == TS_OK:
            status = TS_NO_MEMORY if buffer_bytes(m.out, url.p + 1, url.end - url.p - 1) != 0 else <int>TS_OK
    elif status == TS_OK:
        status = put_value(m, &url)
    return put(m, b"}") if status == TS_OK else status


# --- the body ---------------------------------------------------------------------------------------------------


cdef JsonSpan text_of_part(Messages* m, const Part* part, bint* plain) noexcept nogil:
    # The text of a text part or of reasoning; *plain is 1 where the part holds its type and it alone.
    cdef Object o
    cdef JsonSpan said, type
    cdef JsonSpan none
    none.p = none.end = NULL
    plain[0] = 0
    if is_text(&part.value):
        return part.value
    if not read_object(m.table, &part.value, &o):
        return none
    type = member(&o, FIELD_TYPE)
    plain[0] = o.count == 2 and is_word(&type, b'"text"' if part.kind == PART_TEXT else b'"reasoning"')
    if m.in_parts:
        plain[0] = plain[0] and is_spelled(&o, FIELD_CONTENT, b'"content"')
    else:
        plain[0] = plain[0] and is_spelled(&o, FIELD_TEXT, b'"text"')
    said = member(&o, FIELD_TEXT)
    if not is_set(&said):
        said = member(&o, FIELD_CONTENT)
    if part.kind == PART_REASONED and is_blank(&said):
        said = member(&o, FIELD_REASONING)
        return alone(m, &said) if is_set(&said) else said
    return said


cdef int put_text_part(Messages* m, const Part* part) noexcept nogil:
    cdef bint plain
    cdef JsonSpan said = text_of_part(m, part, &plain)
    cdef int status
    if not plain:
        m.exact = 0
    status = put_member(m, b'{"type":"text","text":', &said)
    return put(m, b"}") if status == TS_OK else status


cdef inline bint is_said(const Part* part) noexcept nogil:
    return part.kind == PART_TEXT or part.kind == PART_IMAGE or part.kind == PART_OTHER or part.kind == PART_MESSAGE


cdef uint32_t count_said(Messages* m, Part* parts, uint32_t count, bint has_calls) noexcept nogil:
    # The parts that are content. Texts without a word are taken out where anything else is there.
    cdef JsonSpan said
    cdef uint32_t i
    cdef uint32_t found = 0
    cdef bint plain
    for i in range(count):
        if parts[i].kind == PART_NOTHING:
            m.exact = 0
        if parts[i].kind == PART_TEXT and (count > 1 or has_calls):
            said = text_of_part(m, &parts[i], &plain)
            if is_blank(&said):
                parts[i].kind = PART_NOTHING
                m.exact = 0
        found += is_said(&parts[i])
    return found


cdef int put_content(Messages* m, Part* parts, uint32_t count, uint32_t said, bint in_list) noexcept nogil:
    cdef JsonSpan text
    cdef uint32_t i
    cdef bint first = 1
    cdef bint plain
    cdef int status = put(m, b',"content":')
    for i in range(count):
        if status != TS_OK or not is_said(&parts[i]):
            continue
        if said == 1 and parts[i].kind == PART_TEXT:
            text = text_of_part(m, &parts[i], &plain)
            # One text among parts is told by them; in a list of content it was a list.
            if (m.in_parts and not plain) or (in_list and not m.in_parts):
                m.exact = 0
            m.has_content = m.has_content or not is_blank(&text)
            return put_value(m, &text)
        status = put(m, b"[" if first else b",")
        first = 0
        m.has_content = 1
        if status != TS_OK:
            return status
        if m.in_parts:
            m.exact = 0
        if parts[i].kind == PART_TEXT:
            status = put_text_part(m, &parts[i])
        elif parts[i].kind == PART_IMAGE:
            status = put_image(m, &parts[i].value)
        else:
            status = put_value(m, &parts[i].value)
    return put(m, b"]") if status == TS_OK else status


cdef int put_reasoning(Messages* m, const JsonSpan* own, Part* parts, uint32_t count) noexcept nogil:
    # What a model thought: a text, or a list of several.
    cdef JsonSpan said
    cdef uint32_t i
    cdef uint32_t found = 0
    cdef bint plain
    cdef size_t start = m.out.size
    cdef size_t first = 0
    cdef int status = TS_OK
    for i in range(count + 1):
        if i < count:
            if parts[i].kind != PART_REASONED:
                continue
            said = text_of_part(m, &parts[i], &plain)
            # Told by the parts only where it is the first of them.
            if not m.in_parts or i or not plain:
                m.exact = 0
        else:
            said = own[0]
        if is_blank(&said):
            continue
        m.has_content = 1
        if found == 0:
            status = put(m, b',"reasoning":')
            first = m.out.size
        if status == TS_OK and found == 1:
            # A second one: the first moves into a list.
            if buffer_u8(m.out, c'[') != 0:
                return TS_NO_MEMORY
            rotate(m.out.data + first, m.out.size - first)
        if status == TS_OK and found:
            m.exact = 0
            status = put(m, b",")
        if status == TS_OK:
            status = put_value(m, &said)
        if status != TS_OK:
            return status
        found += 1
    if found > 1:
        status = put(m, b"]")
    if found == 0:
        m.out.size = start
    return status


cdef void rotate(uint8_t* p, size_t size) noexcept nogil:
    # The last byte becomes the first.
    cdef uint8_t last = p[size - 1]
    cdef size_t i = size - 1
    while i:
        p[i] = p[i - 1]
        i -= 1
    p[0] = last


cdef int put_calls(
    Messages* m, const JsonSpan* calls, const JsonSpan* call, Part* parts, uint32_t count
) noexcept nogil:
    cdef JsonSpan at = calls[0]
    cdef JsonSpan item
    cdef bint first = 1
    cdef uint32_t i
    cdef int status = TS_OK
    for i in range(count):
        if parts[i].kind != PART_CALL:
            # A call stands behind what is said.
            if m.in_parts and not first and is_said(&parts[i]):
                m.exact = 0
            continue
        if not m.in_parts:
            m.exact = 0
        status = put(m, b',"tool_calls":[' if first else b",")
        if status == TS_OK:
            status = put_call(m, &parts[i].value, m.in_parts)
        if status != TS_OK:
            return status
        first = 0
    while is_open(calls, c'[') and next_item(&at, &item):
        if m.in_parts:
            m.exact = 0
        status = put(m, b',"tool_calls":[' if first else b",")
        if status == TS_OK:
            status = put_call(m, &item, False)
        if status != TS_OK:
            return status
        first = 0
    if is_open(call, c'{'):
        m.exact = 0
        status = put(m, b',"tool_calls":[' if first else b",")
        if status == TS_OK:
            status = put_call(m, call, False)
        first = 0
    if first:
        return status
    m.has_content = 1
    return put(m, b"]") if status == TS_OK else status
