"""A list of messages under way, and the writing of what one of them holds."""

from libc.stdint cimport uint8_t, uint32_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.conventions cimport Table
from tracestore._native.message_parts cimport JsonSpan, Object, Part


cdef struct Messages:
    const Table* table
    # The JSON text; places of the items in it, two size_t each.
    Buffer* out
    Buffer* items
    # Parts of the body under way, text without its escapes, and a body that was text of JSON.
    Buffer* parts
    Buffer* scratch
    Buffer* decoded
    # The role of what does not say one.
    uint8_t role
    bint fits
    # Whether what was read can be told from what was written, given how it was spelled.
    bint exact
    bint in_parts
    bint in_content
    # Arguments and results that were text of JSON, and that were values.
    bint text_arguments
    bint value_arguments
    bint text_results
    bint value_results
    # Some message says something; the first is the system's.
    bint has_content
    bint has_system
    uint32_t count


cdef struct Message:
    # One message under way: who says it, and the object that its members stand in.
    uint8_t role
    JsonSpan role_text
    JsonSpan finish_reason
    Object members
    # Its members stood inside another object.
    bint nested
    # An answer as the model gave it: what else it says is no part of the message.
    bint sealed
    # The object itself is one part: an item of OpenAI's responses.
    uint8_t kind
    JsonSpan whole


cdef const char* role_name(uint8_t role) noexcept nogil

# Text; a value as it came; a member, its key given with the comma before and the colon; and one under its own name.
cdef int put(Messages* m, const char* text) noexcept nogil
cdef int put_value(Messages* m, const JsonSpan* value) noexcept nogil
cdef int put_member(Messages* m, const char* key, const JsonSpan* value) noexcept nogil
cdef int put_other(Messages* m, const Object* o, uint32_t i) noexcept nogil

# A value; text of an object or a list of JSON is parsed. Says which of both it was.
cdef int put_parsed(Messages* m, const JsonSpan* value, bint* from_text, bint* from_value) noexcept nogil
cdef bint inner_json(Messages* m, const JsonSpan* text, JsonSpan* inner) noexcept nogil

# The result of a call: out of a list of one text, or from beside its type.
cdef int put_result(Messages* m, const JsonSpan* value) noexcept nogil
cdef int write_result(Messages* m, const JsonSpan* value) noexcept nogil

# An item of the list, and a message with its role.
cdef int begin_item(Messages* m) noexcept nogil
cdef int begin_message(Messages* m, const Message* message, uint8_t role) noexcept nogil
cdef int end_message(Messages* m) noexcept nogil

# What is said, thought and called. `count_said` takes empty texts out.
cdef JsonSpan text_of_part(Messages* m, const Part* part, bint* plain) noexcept nogil
cdef uint32_t count_said(Messages* m, Part* parts, uint32_t count, bint has_calls) noexcept nogil
cdef int put_content(Messages* m, Part* parts, uint32_t count, uint32_t said, bint in_list) noexcept nogil
cdef int put_reasoning(Messages* m, const JsonSpan* own, Part* parts, uint32_t count) noexcept nogil
cdef int put_calls(
    Messages* m, const JsonSpan* calls, const JsonSpan* call, Part* parts, uint32_t count
) noexcept nogil
