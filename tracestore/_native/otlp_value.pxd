"""OTLP's AnyValue: into the leaves of a path, or as JSON text."""

from libc.stdint cimport uint32_t, uint64_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.builder cimport State
from tracestore._native.json_reader cimport Text
from tracestore._native.protobuf cimport Wire, WireError

cdef enum AnyKind:
    ANY_EMPTY = 0
    ANY_STRING = 1
    ANY_BOOL = 2
    ANY_INT = 3
    ANY_DOUBLE = 4
    ANY_ARRAY = 5
    ANY_KVLIST = 6
    ANY_BYTES = 7

cdef enum:
    # Arrays and lists inside one another; equals limits.MAX_JSON_DEPTH. The readers recurse.
    MAX_VALUE_DEPTH = 1024


cdef struct AnyValue:
    AnyKind kind
    # Varint or bits of the double.
    uint64_t word
    # String, bytes, or the message inside.
    Wire bytes


cdef struct ValueReader:
    State* s
    WireError error
    uint64_t repaired
    # Messages that came in several parts, joined; blocks are freed by reader_free. `joined` bounds them.
    Buffer blocks
    uint64_t joined
    uint64_t joined_most
    Buffer text
    Buffer json
    int depth


cdef void reader_free(ValueReader* v) noexcept nogil

# Decodes one AnyValue message; the last member set wins.
cdef int read_any(ValueReader* v, Wire w, AnyValue* out) noexcept nogil

# Decodes a KeyValue: its key's bytes and its value's message.
cdef int read_key_value(ValueReader* v, Wire w, Wire* key, Wire* value) noexcept nogil

# Text of a proto string; repaired into `v.text` where it is not UTF-8.
cdef int read_text(ValueReader* v, const Wire* w, Text* out) noexcept nogil

# Tells whether an array holds no array, object or bytes.
cdef int array_is_flat(ValueReader* v, Wire list, bint* flat) noexcept nogil

# One attribute under a path; *before is the guess chain. `shred_pair` takes it read already.
cdef int shred_pair(
    ValueReader* v, const Wire* key, const Wire* value, uint32_t parent, uint32_t* before
) noexcept nogil
cdef int shred_attribute(ValueReader* v, Wire key_value, uint32_t parent, uint32_t* before) noexcept nogil

# The value of an entered node.
cdef int shred_any(ValueReader* v, Wire w, uint32_t node) noexcept nogil
cdef int write_any(ValueReader* v, Wire w, Buffer* out) noexcept nogil

# Appends `,"key":value` or, first, `"key":value`.
cdef int write_attribute(ValueReader* v, Wire key_value, bint first, Buffer* out) noexcept nogil

# A second part of a message that occurs once: both as one message, as protobuf merges them.
cdef int join_parts(ValueReader* v, Wire* first, const Wire* second) noexcept nogil
