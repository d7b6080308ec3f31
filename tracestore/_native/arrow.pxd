"""The Arrow C data interface: the structs of its specification, and arrays whose buffers we allocate."""

from libc.stdint cimport int64_t, uint8_t


cdef extern from *:
    """
    #ifndef ARROW_C_DATA_INTERFACE
    #define ARROW_C_DATA_INTERFACE
    #include <stdint.h>
    struct ArrowSchema {
      const char* format;
      const char* name;
      const char* metadata;
      int64_t flags;
      int64_t n_children;
      struct ArrowSchema** children;
      struct ArrowSchema* dictionary;
      void (*release)(struct ArrowSchema*);
      void* private_data;
    };
    struct ArrowArray {
      int64_t length;
      int64_t null_count;
      int64_t offset;
      int64_t n_buffers;
      int64_t n_children;
      const void** buffers;
      struct ArrowArray** children;
      struct ArrowArray* dictionary;
      void (*release)(struct ArrowArray*);
      void* private_data;
    };
    typedef struct ArrowSchema ArrowSchema;
    typedef struct ArrowArray ArrowArray;
    #endif
    """
    ctypedef struct ArrowSchema:
        const char* format
        const char* name
        const char* metadata
        int64_t flags
        int64_t n_children
        ArrowSchema** children
        ArrowSchema* dictionary
        void (*release)(ArrowSchema*) noexcept nogil
        void* private_data

    ctypedef struct ArrowArray:
        int64_t length
        int64_t null_count
        int64_t offset
        int64_t n_buffers
        int64_t n_children
        const void** buffers
        ArrowArray** children
        ArrowArray* dictionary
        void (*release)(ArrowArray*) noexcept nogil
        void* private_data

cdef enum:
    ARROW_NULLABLE = 2


# A new, empty array or schema with room for its buffers and children; NULL where memory is out. What it
# holds is freed by its release, which also frees the struct where it is a child.
cdef ArrowArray* array_new(int64_t length, int buffers, int64_t children) noexcept nogil
cdef ArrowSchema* schema_new(const char* format, const char* name, size_t name_size, int64_t children) noexcept nogil
cdef void array_free(ArrowArray* array) noexcept nogil
cdef void schema_free(ArrowSchema* schema) noexcept nogil

# A zeroed buffer of at least one byte; it belongs to the array at once.
cdef void* array_buffer(ArrowArray* array, int index, size_t size) noexcept nogil


cdef class ArrowBatch:
    """One struct array on its way out: takes the protocol `__arrow_c_array__`."""

    cdef ArrowArray* array
    cdef ArrowSchema* schema


cdef ArrowBatch batch_of(ArrowArray* array, ArrowSchema* schema)
