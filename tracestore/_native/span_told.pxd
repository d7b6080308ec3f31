"""What one attribute says: read as it comes, so that one that says nothing usable never hides another."""

from tracestore._native.conventions cimport Candidate, Rule, SpanFields
from tracestore._native.otlp_request cimport Request
from tracestore._native.protobuf cimport Wire

cdef void tell(SpanFields* f, const Candidate* c) noexcept nogil

# Tells a candidate's slot, whose kind is none that moves and no type; nothing where the value is not usable.
cdef int note_told(Request* r, Candidate* c) noexcept nogil

# Tells what the members of an object say, whether it came as JSON text or as a list of keys and values.
cdef int note_members(Request* r, const Rule* rule, const Wire* key, const Wire* value) noexcept nogil

# Tells whether a payload holds nothing: no text, null, an empty list or object, or JSON text of one.
cdef int is_empty_payload(Request* r, const Wire* value, bint* empty) noexcept nogil
