"""One JSON value into the leaves of its path."""

from libc.stdint cimport uint8_t, uint32_t

from tracestore._native.builder cimport State
from tracestore._native.json_reader cimport JsonCursor

cdef enum:
    # Equals limits.MAX_PATH_KEYS: a value under this many keys stays JSON text.
    MAX_PATH_KEYS = 64

# Shreds the value at the cursor under a path. The caller has entered the node and leaves it.
cdef int shred_value(State* s, JsonCursor* j, uint32_t node) noexcept nogil

# The same under a key of `parent`, for callers that walk an object themselves; *before is the guess chain.
cdef int shred_member(
    State* s, JsonCursor* j, uint32_t parent, const uint8_t* key, size_t key_size, uint32_t* before
) noexcept nogil
