"""Payloads of a span that are messages, in one form before they go to their columns."""

from libc.stdint cimport uint32_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.conventions cimport Candidate
from tracestore._native.otlp_request cimport Request

# Writes what won the input (0) or the output (1) as messages in `normal`, where it is messages; *hollow is 1 where they
# say nothing.
cdef int normal_of(
    Request* r, int which, Candidate* c, const Candidate* waiting, uint32_t count, bint* hollow
) noexcept nogil

# The same of messages that came as events, comma first, or of the system's words alone.
cdef int normal_of_events(Request* r, int which, Buffer* messages) noexcept nogil
