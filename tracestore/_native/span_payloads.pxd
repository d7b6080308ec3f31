"""Payloads and whole values of a span in their columns, and the note of what moved there."""

from libc.stdint cimport uint8_t, uint32_t

from tracestore._native.conventions cimport Candidate, Normal, Slot, SpanFields
from tracestore._native.json_reader cimport Text
from tracestore._native.otlp_request cimport Request

# Notes in `moved_attributes` that an attribute, or with a star its numbered keys, went to a column.
cdef int note_moved(
    SpanFields* f, const uint8_t* name, size_t size, bint numbered, uint32_t node, const char* form, const char* texts
) noexcept nogil
cdef const char* form_of_numbered(const Candidate* c) noexcept nogil

# One JSON value at a node; *whole is 0, and nothing set, where the text is anything else.
cdef int shred_json(Request* r, uint32_t node, const Text* text, bint* whole) noexcept nogil

# The first byte of a JSON text and the next that is no space; 0 where there is none.
cdef uint8_t first_of(const Text* text, uint8_t* second) noexcept nogil

# JSON that was made here, and messages in one form, as a payload.
cdef int push_json_text(Request* r, uint32_t node, const uint8_t* p, size_t size) noexcept nogil
cdef int push_normal(Request* r, uint32_t node, const Normal* messages) noexcept nogil

# What won `input`, `output` or `expected`; and a whole value of another column.
cdef int push_payload(Request* r, const Slot* slot, const Candidate* c) noexcept nogil
cdef int push_parsed(Request* r, const Slot* slot, const Candidate* c) noexcept nogil
