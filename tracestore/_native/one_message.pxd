"""One message of any spelling, in the one form."""

from libc.stdint cimport uint8_t

from tracestore._native.message_parts cimport JsonSpan, Object
from tracestore._native.message_writer cimport Message, Messages

# Finds the members of a message, inside what stands around them; 0 where it is none. What says no role is a message
# only where `deep`.
cdef bint read_message(Messages* m, const JsonSpan* value, Message* message, bint deep) noexcept nogil
cdef bint has_body(const Object* o) noexcept nogil

# Appends the parts of what is said to `parts`.
cdef int read_body(Messages* m, const JsonSpan* body, bint tool) noexcept nogil

# What a message says, and under which name.
cdef JsonSpan body_of(Messages* m, const Message* message, uint8_t* field) noexcept nogil

# Appends a message, and one whose body is a JSON value. Of a `sealed` one nothing but the message is kept.
cdef int write_message(Messages* m, const JsonSpan* value, bint deep, bint sealed) noexcept nogil
cdef int write_body(Messages* m, uint8_t role, const JsonSpan* body) noexcept nogil
