"""Messages in one form: see messages.pxd.

The two spellings that nearly all messages have (`{"role", "content": text}` and one text among `parts`) are copied in
one pass; any other is read where it lies, member by member, and written anew. Linear in the text. Nothing here refuses
a payload: what does not read as messages is left to others as it came.
"""

from libc.stdint cimport uint32_t, uint8_t
from libc.string cimport memchr, memcmp, memset

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_free, buffer_u8
from tracestore._native.conventions cimport Conventions
from tracestore._native.json_reader cimport (
    JsonCursor,
    Text,
    json_copy_value,
    json_skip_value,
    json_space,
    json_string,
)
from tracestore._native.message_names cimport (
    FIELD_ARGUMENTS,
    FIELD_CHOICES,
    FIELD_CONFIG,
    FIELD_CONTENTS,
    FIELD_DOCUMENTS,
    FIELD_INNER,
    FIELD_MESSAGES,
    FIELD_METADATA,
    FIELD_PAGE,
    FIELD_PROMPT,
    FIELD_QUESTION,
    FIELD_RESULT,
    FIELD_ROLE,
    FIELD_SYSTEM,
    FIELD_TEXT,
    FIELD_TYPE,
    NAME_ROLE,
    PART_TEXT,
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
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
    is_spelled,
    is_text,
    member,
    named,
    next_item,
    read_object,
)
from tracestore._native.message_writer cimport (
    Message,
    Messages,
    begin_item,
    begin_message,
    end_message,
    put,
    put_calls,
    put_member,
    put_parsed,
    put_result,
    put_value,
    text_of_part,
)
from tracestore._native.one_message cimport body_of, has_body, read_body, read_message, write_body, write_message
from tracestore._native.status cimport TS_NO_MEMORY, TS_OK

cdef enum:
    # Lists inside one another.
    MAX_NESTED = 4


# --- the spellings that nearly all have -------------------------------------------------------------------------


cdef inline bint expect(JsonCursor* j, const char* text, size_t size) noexcept nogil:
    # The text, and white space behind it.
    if <size_t>(j.end - j.p) < size or memcmp(j.p, text, size) != 0:
        return 0
    j.p += size
    json_space(j)
    return 1


cdef inline uint8_t fast_role(JsonCursor* j) noexcept nogil:
    # A role that stands under its own name; 0 for any other.
    cdef uint8_t role
    for role in range(ROLE_SYSTEM, ROLE_TOOL):
        if expect(j, ROLE_WORDS[role], ROLE_SIZES[role]):
            return role
    return 0


cdef const char** ROLE_WORDS = [b"", b'"system"', b'"user"', b'"assistant"']
cdef size_t* ROLE_SIZES = [0, 8, 6, 11]
cdef const char** ROLE_HEADS = [
    b"",
    b'{"role":"system","content":',
    b'{"role":"user","content":',
    b'{"role":"assistant","content":',
]
cdef size_t* HEAD_SIZES = [0, 27, 25, 30]


cdef inline void end_item(Messages* m) noexcept nogil:
    cdef size_t at = m.out.size
    if buffer_bytes(m.items, &at, sizeof(size_t)) != 0:
        m.fits = 0


cdef bint fast_turned(Messages* m, JsonCursor* j) noexcept nogil:
    # The same with the content before the role, as numbered keys have it once they are sorted.
    cdef const uint8_t* start = j.p
    cdef JsonCursor content
    cdef size_t size = m.out.size
    cdef bint says = 0
    cdef uint8_t role = 0
    cdef bint done = expect(j, b"{", 1) and expect(j, b'"content"', 9) and expect(j, b":", 1)
    done = done and j.end - j.p > 2 and j.p[0] == c'"' and j.p[1] != c'['
    if done:
        says = j.p[1] != c'"'
        content = j[0]
        done = json_skip_value(j) == TS_OK
    if done:
        json_space(j)
        if expect(j, b",", 1) and expect(j, b'"role"', 6) and expect(j, b":", 1):
            role = fast_role(j)
        done = role != 0 and j.p < j.end and j.p[0] == c'}'
    if done:
        done = begin_item(m) == TS_OK and buffer_bytes(m.out, ROLE_HEADS[role], HEAD_SIZES[role]) == 0
        done = done and json_copy_value(&content, m.out) == TS_OK
    if not done or buffer_u8(m.out, c'}') != 0:
        m.out.size = size
        m.items.size = 2 * sizeof(size_t) * m.count
        j.p = start
        j.reason = NULL
        return 0
    j.p += 1
    end_item(m)
    if m.count == 0 and role == ROLE_SYSTEM:
        m.has_system = 1
    m.count += 1
    m.has_content |= says
    m.in_content = 1
    return 1


cdef bint fast_message(Messages* m, JsonCursor* j) noexcept nogil:
    # Copies a message whose only content is one text; 0, and nothing changed, where it is spelled otherwise.
    cdef const uint8_t* start = j.p
    cdef size_t size = m.out.size
    cdef bint parts = 0
    cdef bint says = 0
    cdef bint done
    cdef uint8_t role
    if not expect(j, b"{", 1) or not expect(j, b'"role"', 6) or not expect(j, b":", 1):
        j.p = start
        return 0
    role = fast_role(j)
    done = role != 0 and expect(j, b",", 1)
    if done and expect(j, b'"parts"', 7):
        parts = 1
        done = (
            expect(j, b":", 1)
            and expect(j, b"[", 1)
            and expect(j, b"{", 1)
            and expect(j, b'"type"', 6)
            and expect(j, b":", 1)
            and expect(j, b'"text"', 6)
            and expect(j, b",", 1)
        )
    done = done and expect(j, b'"content"', 9) and expect(j, b":", 1)
    # A text that begins as a list may be one of parts.
    done = done and j.end - j.p > 2 and j.p[0] == c'"' and j.p[1] != c'['
    if done:
        says = j.p[1] != c'"'
        done = begin_item(m) == TS_OK and buffer_bytes(m.out, ROLE_HEADS[role], HEAD_SIZES[role]) == 0
        done = done and json_copy_value(j, m.out) == TS_OK
    if done:
        json_space(j)
        if parts:
            done = expect(j, b"}", 1) and expect(j, b"]", 1)
        done = done and j.p < j.end and j.p[0] == c'}'
    if not done or buffer_u8(m.out, c'}') != 0:
        m.out.size = size
        m.items.size = 2 * sizeof(size_t) * m.count
        j.p = start
        j.reason = NULL
        return 0
    j.p += 1
    end_item(m)
    if m.count == 0 and role == ROLE_SYSTEM:
        m.has_system = 1
    m.count += 1
    m.has_content |= says
    m.in_parts |= parts
    m.in_content |= not parts
    return 1


# --- lists, requests and answers ----------------------------------------------------------------------------------


cdef int write_null(Messages* m) noexcept nogil:
    # A message that was cut out of a list keeps its place.
    if begin_item(m) != TS_OK or buffer_bytes(m.out, b"null", 4) != 0:
        return TS_NO_MEMORY
    end_item(m)
    m.count += 1
    return TS_OK


cdef bint read_pair(Messages* m, const JsonSpan* value, uint8_t* role, JsonSpan* said) noexcept nogil:
    # `["user", "Where is it?"]`, as LangChain takes messages: a role and a text.
    cdef JsonSpan at = value[0]
    cdef JsonSpan item
    if not next_item(&at, &item) or not is_text(&item):
        return 0
    role[0] = named(m.table, NAME_ROLE, &item)
    return role[0] != 0 and next_item(&at, said) and is_text(said) and not next_item(&at, &item)


cdef int write_list(Messages* m, const JsonSpan* value, bint deep, int level) noexcept nogil:
    # The messages of a list, whose brackets are not written; of lists in a list where there are such.
    cdef JsonCursor j
    cdef JsonSpan item, said
    cdef uint8_t role
    cdef int status = TS_OK
    memset(&j, 0, sizeof(j))
    j.p = value.p + 1
    j.end = value.end
    json_space(&j)
    while status == TS_OK and m.fits and j.p < j.end and j.p[0] != c']':
        if j.p[0] != c'{' or not (fast_message(m, &j) or fast_turned(m, &j)):
            item.p = j.p
            if json_skip_value(&j) != TS_OK:
                m.fits = 0
                return TS_OK
            item.end = j.p
            if is_open(&item, c'[') and read_pair(m, &item, &role, &said):
                status = write_body(m, role, &said)
            elif is_open(&item, c'['):
                m.exact = 0
                m.fits = level < MAX_NESTED
                if m.fits:
                    status = write_list(m, &item, deep, level + 1)
            elif is_open(&item, c'n'):
                status = write_null(m)
            elif deep and is_text(&item):
                status = write_body(m, m.role, &item)
            else:
                status = write_message(m, &item, deep, False)
        json_space(&j)
        if j.p < j.end and j.p[0] == c',':
            j.p += 1
            json_space(&j)
            m.fits = m.fits and j.p < j.end and j.p[0] != c']'
        elif j.p >= j.end or j.p[0] != c']':
            m.fits = 0
    # Of the whole text only here it is known that it is JSON.
    if level == 0 and m.fits:
        j.p += 1
        json_space(&j)
        m.fits = j.p == j.end
    return status


cdef int write_said(Messages* m, const JsonSpan* value, bint deep) noexcept nogil:
    # Under a name of a request or an answer: messages, or one text.
    if is_open(value, c'['):
        return write_list(m, value, deep, 0)
    if is_text(value):
        return write_body(m, m.role, value)
    m.fits = 0
    return TS_OK


cdef uint8_t* SAID_FIELDS = [FIELD_CONTENTS, FIELD_PROMPT, FIELD_RESULT, FIELD_ARGUMENTS, FIELD_TEXT]


cdef JsonSpan said_in(const Object* o) noexcept nogil:
    # The first member of a request or an answer that is a list or a text; missing where there is none.
    cdef JsonSpan said
    cdef uint32_t i
    for i in range(5):
        said = member(o, SAID_FIELDS[i])
        if is_open(&said, c'[') or is_text(&said):
            return said
    said.p = said.end = NULL
    return said


cdef int write_request(Messages* m, const JsonSpan* value) noexcept nogil:
    # What a model was asked, or what it answered: the system's words first.
    cdef Object o, config
    cdef JsonSpan system, said, inner
    cdef int status = TS_OK
    if not read_object(m.table, value, &o):
        m.fits = 0
        return TS_OK
    m.exact = 0
    said = member(&o, FIELD_MESSAGES)
    if not is_open(&said, c'['):
        said = member(&o, FIELD_CHOICES)
    if not is_open(&said, c'['):
        said.p = said.end = NULL
        inner = member(&o, FIELD_ROLE)
        system = member(&o, FIELD_TYPE)
        if is_text(&inner) or named(m.table, NAME_ROLE, &system) or has_body(&o) and not has_contents(&o):
            return write_message(m, value, True, True)
        inner = member(&o, FIELD_INNER)
        if is_open(&inner, c'{'):
            return write_message(m, value, True, True)
        said = said_in(&o)
    if said.p == NULL:
        m.fits = 0
        return TS_OK
    system = member(&o, FIELD_SYSTEM)
    inner = member(&o, FIELD_CONFIG)
    if system.p == NULL and is_open(&inner, c'{') and read_object(m.table, &inner, &config):
        system = member(&config, FIELD_SYSTEM)
    # An answer repeats what it was told; its own words are no question.
    if m.role == ROLE_USER and not is_blank(&system) and not is_open(&system, c'{'):
        status = write_body(m, ROLE_SYSTEM, &system)
    return write_said(m, &said, True) if status == TS_OK else status


cdef bint has_contents(const Object* o) noexcept nogil:
    cdef JsonSpan value = member(o, FIELD_CONTENTS)
    return is_set(&value)


cdef int write_nested(Messages* m, const JsonSpan* value, int level, bint* found) noexcept nogil:
    # A value with the lists of messages inside of it in the one form, everything else as it came.
    cdef Object o
    cdef JsonSpan said, at, item
    cdef uint32_t i
    cdef bint first = 1
    cdef int status
    if level < MAX_NESTED and is_open(value, c'['):
        status = put(m, b"[")
        at = value[0]
        while status == TS_OK and m.fits and next_item(&at, &item):
            if not first:
                status = put(m, b",")
            first = 0
            if status == TS_OK:
                status = write_nested(m, &item, level + 1, found)
        return put(m, b"]") if status == TS_OK else status
    if level >= MAX_NESTED or not is_open(value, c'{') or not read_object(m.table, value, &o):
        return put_value(m, value)
    said = member(&o, FIELD_MESSAGES)
    if not is_open(&said, c'[') or is_blank(&said):
        said.p = NULL
    status = put(m, b"{")
    for i in range(o.count):
        if status == TS_OK and i:
            status = put(m, b",")
        if status == TS_OK:
            status = put_value(m, &o.members[i].key)
        if status == TS_OK:
            status = put(m, b":")
        if status == TS_OK and o.members[i].value.p == said.p:
            found[0] = 1
            m.count = 0
            status = put(m, b"[")
            if status == TS_OK:
                status = write_list(m, &said, False, 1)
            if status == TS_OK:
                status = put(m, b"]")
        elif status == TS_OK:
            status = write_nested(m, &o.members[i].value, level + 1, found)
        if not m.fits or status != TS_OK:
            return status
    return put(m, b"}") if status == TS_OK else status


cdef int write_around(Messages* m, const JsonSpan* value, MessageShape* shape) noexcept nogil:
    # An object or a list that holds messages somewhere.
    cdef bint found = 0
    cdef int status
    m.fits = m.exact = 1
    status = write_nested(m, value, 0, &found)
    # Where every message stands as it came, so does the whole.
    m.fits = m.fits and found and (not m.exact or m.in_parts or m.text_arguments or m.text_results)
    shape[0] = SHAPE_VALUE
    m.exact = 0
    return status


cdef bint names_messages(const JsonSpan* value) noexcept nogil:
    # Whether the name stands in the text: most payloads hold none, and need not be read for it.
    cdef const uint8_t* p = value.p
    while p + 10 <= value.end:
        p = <const uint8_t*>memchr(p, c'"', value.end - p - 9)
        if p == NULL:
            return 0
        if memcmp(p, b'"messages"', 10) == 0:
            return 1
        p += 1
    return 0


cdef int write_given(Messages* m, const JsonSpan* value, MessageShape* shape) noexcept nogil:
    # The result of a tool, out of the message that is around it.
    cdef Message message
    cdef Object o
    cdef JsonSpan at = value[0]
    cdef uint8_t field
    if read_object(m.table, &at, &o) and o.count == 1 and o.members[0].field == FIELD_RESULT:
        at = o.members[0].value
    m.fits = read_message(m, &at, &message, False) and message.role == ROLE_TOOL
    if not m.fits:
        return TS_OK
    shape[0] = SHAPE_VALUE
    at = body_of(m, &message, &field)
    m.fits = is_set(&at)
    m.exact = 0
    return put_result(m, &at) if m.fits else <int>TS_OK


cdef int write_document(Messages* m, const JsonSpan* value) noexcept nogil:
    # `{"content": …}` and what else a document has; metadata that are text of JSON are parsed.
    cdef Object o
    cdef uint32_t i
    cdef uint8_t field
    cdef int status
    if not read_object(m.table, value, &o) or o.count == 0:
        m.fits = 0
        return TS_OK
    if begin_item(m) != TS_OK:
        return TS_NO_MEMORY
    m.has_content = 1
    for i in range(o.count):
        field = o.members[i].field
        status = put(m, b"," if i else b"{")
        if status == TS_OK and field == FIELD_PAGE:
            m.exact = 0
            status = put(m, b'"content"')
        elif status == TS_OK:
            status = put_value(m, &o.members[i].key)
        if status == TS_OK:
            status = put(m, b":")
        if status == TS_OK and field == FIELD_METADATA:
            status = put_parsed(m, &o.members[i].value, &m.text_results, &m.value_results)
        elif status == TS_OK:
            status = put_value(m, &o.members[i].value)
        if status != TS_OK:
            return status
    m.count += 1
    return end_message(m)


cdef int write_documents(Messages* m, const JsonSpan* value) noexcept nogil:
    # What a retriever found: the list itself, or the list in an object.
    cdef JsonSpan at = value[0]
    cdef JsonSpan item
    cdef Object o
    cdef int status = TS_OK
    if is_open(value, c'{'):
        m.exact = 0
        m.fits = read_object(m.table, value, &o)
        if m.fits:
            at = member(&o, FIELD_DOCUMENTS)
            m.fits = is_open(&at, c'[')
    while m.fits and status == TS_OK and next_item(&at, &item):
        status = write_document(m, &item)
    return status


cdef int write_question(Messages* m, const JsonSpan* value, MessageShape* shape) noexcept nogil:
    # What is embedded or searched for, out of the request around it.
    cdef Object o
    cdef JsonSpan said
    m.fits = read_object(m.table, value, &o) and (
        is_spelled(&o, FIELD_ARGUMENTS, b'"input"') or member(&o, FIELD_QUESTION).p != NULL
    )
    if not m.fits:
        return TS_OK
    m.exact = 0
    shape[0] = SHAPE_VALUE
    said = member(&o, FIELD_QUESTION)
    if not is_set(&said):
        said = member(&o, FIELD_ARGUMENTS)
    m.fits = not is_blank(&said) and (is_text(&said) or is_open(&said, c'['))
    return put_value(m, &said) if m.fits else <int>TS_OK


cdef int write_asked(Messages* m, const JsonSpan* value, MessageShape* shape) noexcept nogil:
    # What users said, one text each, as the list of these texts.
    cdef Message message
    cdef JsonSpan at = value[0]
    cdef JsonSpan item, body, text
    cdef size_t start = m.parts.size
    cdef uint32_t count = 0
    cdef uint8_t field
    cdef bint plain
    cdef int status = put(m, b"[")
    while status == TS_OK and m.fits and next_item(&at, &item):
        m.fits = read_message(m, &item, &message, True) and (
            message.role == ROLE_USER or (message.role == 0 and message.role_text.p == NULL)
        )
        if not m.fits:
            break
        body = body_of(m, &message, &field)
        status = read_body(m, &body, False)
        m.fits = m.fits and m.parts.size - start == sizeof(Part)
        m.fits = m.fits and (<Part*>(m.parts.data + start)).kind == PART_TEXT
        if status == TS_OK and m.fits and count:
            status = put(m, b",")
        if status == TS_OK and m.fits:
            text = text_of_part(m, <Part*>(m.parts.data + start), &plain)
            status = put_value(m, &text)
        m.parts.size = start
        count += 1
    m.fits = m.fits and count > 0
    m.exact = 0
    shape[0] = SHAPE_VALUE
    return put(m, b"]") if status == TS_OK else status


cdef int write_texts(Messages* m, const uint8_t* p, size_t size, MessageShape* shape) noexcept nogil:
    cdef JsonSpan at, item
    cdef JsonCursor j
    cdef Text text
    cdef bint first = 1
    cdef int status
    shape[0] = SHAPE_NONE
    at.p = p
    at.end = p + size
    if not is_open(&at, c'['):
        return TS_OK
    status = put(m, b"[")
    while status == TS_OK and next_item(&at, &item):
        if not first:
            status = put(m, b",")
        first = 0
        memset(&j, 0, sizeof(j))
        j.p = item.p
        j.end = item.end
        if status == TS_OK and is_text(&item) and json_string(&j, m.scratch, &text) == TS_OK:
            memset(&j, 0, sizeof(j))
            j.p = text.p
            j.end = text.p + text.size
            json_space(&j)
            if json_skip_value(&j) == TS_OK:
                json_space(&j)
                if j.p == j.end:
                    item.p = text.p
                    item.end = j.end
        if status == TS_OK:
            status = put_value(m, &item)
    m.exact = 0
    shape[0] = SHAPE_VALUE
    return put(m, b"]") if status == TS_OK else status


cdef int write_event(Messages* m, const uint8_t* p, size_t size, MessageShape* shape) noexcept nogil:
    cdef Message message
    cdef JsonSpan at, item, body
    cdef uint8_t field
    at.p = p
    at.end = p + size
    if not next_item(&at, &item) or not read_message(m, &item, &message, True):
        return TS_OK
    body = body_of(m, &message, &field)
    if not is_set(&body):
        return TS_OK
    shape[0] = SHAPE_VALUE
    return put_result(m, &body)


cdef int write_answer(Messages* m, const JsonSpan* text, const JsonSpan* calls) noexcept nogil:
    cdef JsonSpan none
    cdef int status = begin_message(m, NULL, ROLE_ASSISTANT)
    none.p = none.end = NULL
    m.exact = 0
    if status == TS_OK and (not is_blank(text) or calls.p == NULL) and text.p != NULL:
        m.has_content = m.has_content or not is_blank(text)
        status = put_member(m, b',"content":', text)
    if status == TS_OK:
        status = put_calls(m, calls, &none, NULL, 0)
    return end_message(m) if status == TS_OK else status


cdef int open_list(Messages* m) noexcept nogil:
    m.fits = m.exact = 1
    m.in_parts = m.in_content = m.has_content = m.has_system = 0
    m.text_arguments = m.value_arguments = m.text_results = m.value_results = 0
    m.count = 0
    m.items.size = 0
    m.parts.size = 0
    return put(m, b"[")


cdef int close_list(Messages* m) noexcept nogil:
    # Spellings side by side cannot be told apart afterwards.
    if (m.in_parts and m.in_content) or (m.text_arguments and m.value_arguments):
        m.exact = 0
    if m.text_results and m.value_results:
        m.exact = 0
    return put(m, b"]")


cdef int write_inside(Messages* m, const JsonSpan* value, MessageMode mode) noexcept nogil:
    if mode == MODE_DOCUMENTS:
        return write_documents(m, value)
    if is_open(value, c'['):
        return write_list(m, value, mode == MODE_CALL, 0)
    if mode != MODE_CALL:
        m.fits = 0
        return TS_OK
    if is_text(value):
        return write_body(m, m.role, value)
    return write_request(m, value)


cdef int write_whole(Messages* m, const JsonSpan* value, MessageMode mode, MessageShape* shape) noexcept nogil:
    # The payload as a list of messages or of documents.
    cdef size_t start = m.out.size
    cdef int status = open_list(m)
    if status == TS_OK:
        status = write_inside(m, value, mode)
    if status == TS_OK:
        status = close_list(m)
    m.fits = m.fits and m.count > 0
    shape[0] = SHAPE_LIST if m.fits else SHAPE_NONE
    if not m.fits:
        m.out.size = start
    return status


cdef int write_part(Messages* m, const JsonSpan* value, MessageMode mode, MessageShape* shape) noexcept nogil:
    # The payload as something that holds messages, or is taken out of them.
    cdef size_t start = m.out.size
    cdef int status = open_list(m)
    m.out.size = start
    if status != TS_OK:
        return status
    if mode == MODE_RESULT:
        status = write_given(m, value, shape)
    elif mode == MODE_QUESTION and is_open(value, c'['):
        status = write_asked(m, value, shape)
    elif mode == MODE_QUESTION:
        status = write_question(m, value, shape)
    else:
        m.fits = names_messages(value)
        if m.fits:
            status = write_around(m, value, shape)
    if not m.fits:
        m.out.size = start
        shape[0] = SHAPE_NONE
    return status


cdef int write_messages(
    Messages* m, const uint8_t* p, size_t size, MessageMode mode, MessageShape* shape
) noexcept nogil:
    cdef JsonCursor j
    cdef JsonSpan value
    cdef int status
    shape[0] = SHAPE_NONE
    memset(&j, 0, sizeof(j))
    j.p = p
    j.end = p + size
    json_space(&j)
    if j.p >= j.end or (j.p[0] != c'[' and j.p[0] != c'{' and j.p[0] != c'"'):
        return TS_OK
    value.p = j.p
    value.end = j.end
    if is_open(&value, c'[') and mode != MODE_DOCUMENTS and mode != MODE_QUESTION:
        # Whether it is JSON is seen on the way.
        status = write_whole(m, &value, mode, shape)
        if status != TS_OK or m.fits or mode != MODE_ANY or not names_messages(&value):
            return status
    if json_skip_value(&j) != TS_OK:
        return TS_OK
    value.end = j.p
    json_space(&j)
    if j.p < j.end:
        return TS_OK
    if mode == MODE_CALL or mode == MODE_DOCUMENTS:
        return write_whole(m, &value, mode, shape)
    status = write_part(m, &value, mode, shape)
    if status == TS_OK and not m.fits and mode == MODE_QUESTION and is_open(&value, c'['):
        status = write_whole(m, &value, mode, shape)
    return status


def normal_messages(Conventions conventions not None, const uint8_t[::1] text not None, bint asked):
    """Returns messages of any spelling in the one form, as the text of a list.

    Args:
        conventions: the table.
        text: one JSON value: a list of messages, a request, an answer, or one text.
        asked: whether a message that names no role is a user's, not an assistant's.

    Returns None where the text is no messages.
    """
    cdef Messages m
    cdef Buffer out, items, parts, scratch, decoded
    cdef MessageShape shape = SHAPE_NONE
    cdef size_t size = text.shape[0]
    cdef const uint8_t* p
    cdef int status
    memset(&m, 0, sizeof(m))
    memset(&out, 0, sizeof(out))
    items = parts = scratch = decoded = out
    if text.shape[0] == 0:
        return None
    m.table = &conventions.table
    m.out = &out
    m.items = &items
    m.parts = &parts
    m.scratch = &scratch
    m.decoded = &decoded
    m.role = ROLE_USER if asked else ROLE_ASSISTANT
    p = &text[0]
    try:
        with nogil:
            status = write_messages(&m, p, size, MODE_CALL, &shape)
        if status == TS_NO_MEMORY:
            raise MemoryError
        return <bytes>out.data[: out.size] if shape == SHAPE_LIST else None
    finally:
        buffer_free(&out)
        buffer_free(&items)
        buffer_free(&parts)
        buffer_free(&scratch)
        buffer_free(&decoded)
