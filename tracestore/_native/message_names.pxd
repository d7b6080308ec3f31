"""What a member, a role and a type of a part of messages mean; tracestore.variant.convention_messages lists them."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from tracestore._native.buffer cimport same_bytes
from tracestore._native.conventions cimport NAME_PLACES, Table
from tracestore._native.hashing cimport hash_bytes


cdef enum NameKind:
    NAME_MEMBER = 1
    NAME_ROLE
    NAME_PART


# In the order of the table; 0 is a name that means nothing.
cdef enum MemberField:
    FIELD_OTHER = 0
    FIELD_ROLE
    FIELD_TYPE
    FIELD_CONTENT
    FIELD_CONTENTS
    FIELD_PARTS
    FIELD_INNER
    FIELD_CALLS
    FIELD_CALL
    FIELD_ANSWER
    FIELD_FUNCTION
    FIELD_ID
    FIELD_CALL_ID
    FIELD_NAME
    FIELD_ARGUMENTS
    FIELD_RESULT
    FIELD_TEXT
    FIELD_VALUE
    FIELD_REASONING
    FIELD_IMAGE
    FIELD_MEDIA_TYPE
    FIELD_FINISH_REASON
    FIELD_MESSAGES
    FIELD_CHOICES
    FIELD_PROMPT
    FIELD_SYSTEM
    FIELD_CONFIG
    FIELD_DOCUMENTS
    FIELD_PAGE
    FIELD_METADATA
    FIELD_QUESTION
    FIELD_DROPPED


cdef enum Role:
    ROLE_OTHER = 0
    ROLE_SYSTEM
    ROLE_USER
    ROLE_ASSISTANT
    ROLE_TOOL


cdef enum PartKind:
    PART_OTHER = 0
    PART_TEXT
    PART_CALL
    PART_RESULT
    PART_REASONED
    PART_IMAGE
    PART_MESSAGE
    # A text without a word beside other parts, or a call of which its type alone is told.
    PART_NOTHING


cdef inline uint8_t find_name(const Table* t, NameKind kind, const uint8_t* p, size_t size) noexcept nogil:
    # What a name means, 0 for nothing.
    cdef uint64_t h = hash_bytes(p, size, t.seed + kind)
    cdef uint32_t at = <uint32_t>h & (NAME_PLACES - 1)
    while t.names[at].kind:
        if t.names[at].hash == h and t.names[at].size == size and t.names[at].kind == <uint8_t>kind:
            if same_bytes(t.text.data + t.names[at].start, p, size):
                return t.names[at].meaning
        at = (at + 1) & (NAME_PLACES - 1)
    return 0
