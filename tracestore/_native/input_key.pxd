"""The 64-bit key of a variant: what experiments and logs join on. Stored on disk, so it never changes."""

from libc.stdint cimport uint64_t

from tracestore._native.buffer cimport Buffer
from tracestore._native.json_reader cimport JsonCursor

# Hashes the value at the cursor and moves past it. `pairs` and `text` are scratch, kept by the caller for reuse.
cdef int hash_json_value(JsonCursor* j, Buffer* pairs, Buffer* text, uint64_t* out) noexcept nogil
