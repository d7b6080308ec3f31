"""Messages of every instrumentation in one form; tracestore.variant.convention_messages says how they are spelled."""

from libc.stdint cimport uint8_t

from tracestore._native.message_parts cimport JsonSpan
from tracestore._native.message_writer cimport Messages


cdef enum MessageMode:
    # Lists of messages, and objects that hold one as `messages`.
    MODE_ANY = 0
    # Of a model call also a request, an answer, or one text.
    MODE_CALL
    # What a tool gave: a message around it is taken off.
    MODE_RESULT
    # What a retriever or a reranker gave, and what it or an embedding was asked.
    MODE_DOCUMENTS
    MODE_QUESTION


cdef enum MessageShape:
    # Not messages: nothing was written.
    SHAPE_NONE = 0
    # A list of messages, whose places stand in `items`.
    SHAPE_LIST
    # An object, or any other value, as JSON text.
    SHAPE_VALUE


# Writes JSON text, known to be text of UTF-8, as messages. It may turn out not to be JSON.
cdef int write_messages(
    Messages* m, const uint8_t* p, size_t size, MessageMode mode, MessageShape* shape
) noexcept nogil

# Appends one answer: its text and the list of its calls, each of which may be missing.
cdef int write_answer(Messages* m, const JsonSpan* text, const JsonSpan* calls) noexcept nogil

# Writes what the one message of a list says, as the payload of a tool.
cdef int write_event(Messages* m, const uint8_t* p, size_t size, MessageShape* shape) noexcept nogil

# Writes a list of texts, each of which is JSON, as the list of their values.
cdef int write_texts(Messages* m, const uint8_t* p, size_t size, MessageShape* shape) noexcept nogil

# Begins and ends the list; `write_messages` does both for what it finds.
cdef int open_list(Messages* m) noexcept nogil
cdef int close_list(Messages* m) noexcept nogil
