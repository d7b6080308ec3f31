"""Arrow C data interface: allocation and release. Constant time but for freeing what an array holds."""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy


cdef void release_array(ArrowArray* array) noexcept nogil:
    cdef int64_t i
    for i in range(array.n_buffers):
        free(<void*>array.buffers[i])
    free(array.buffers)
    for i in range(array.n_children):
        array_free(array.children[i])
    free(array.children)
    array_free(array.dictionary)
    array.release = NULL


cdef void release_schema(ArrowSchema* schema) noexcept nogil:
    cdef int64_t i
    free(<void*>schema.name)
    for i in range(schema.n_children):
        schema_free(schema.children[i])
    free(schema.children)
    schema_free(schema.dictionary)
    schema.release = NULL


cdef void array_free(ArrowArray* array) noexcept nogil:
    if array != NULL:
        if array.release != NULL:
            array.release(array)
        free(array)


cdef void schema_free(ArrowSchema* schema) noexcept nogil:
    if schema != NULL:
        if schema.release != NULL:
            schema.release(schema)
        free(schema)


cdef ArrowArray* array_new(int64_t length, int buffers, int64_t children) noexcept nogil:
    cdef ArrowArray* array = <ArrowArray*>calloc(1, sizeof(ArrowArray))
    if array == NULL:
        return NULL
    array.length = length
    array.release = release_array
    array.buffers = <const void**>calloc(buffers + 1, sizeof(void*))
    array.children = <ArrowArray**>calloc(children + 1, sizeof(void*))
    if array.buffers == NULL or array.children == NULL:
        array_free(array)
        return NULL
    array.n_buffers = buffers
    array.n_children = children
    return array


cdef ArrowSchema* schema_new(const char* format, const char* name, size_t name_size, int64_t children) noexcept nogil:
    # `format` is static text.
    cdef ArrowSchema* schema = <ArrowSchema*>calloc(1, sizeof(ArrowSchema))
    cdef char* copy
    if schema == NULL:
        return NULL
    schema.format = format
    schema.flags = ARROW_NULLABLE
    schema.release = release_schema
    schema.children = <ArrowSchema**>calloc(children + 1, sizeof(void*))
    copy = <char*>malloc(name_size + 1)
    if schema.children == NULL or copy == NULL:
        free(copy)
        schema_free(schema)
        return NULL
    memcpy(copy, name, name_size)
    copy[name_size] = 0
    schema.name = copy
    schema.n_children = children
    return schema


cdef void* array_buffer(ArrowArray* array, int index, size_t size) noexcept nogil:
    cdef void* data = calloc(size + 1, 1)
    array.buffers[index] = data
    return data


cdef void release_schema_capsule(object capsule) noexcept:
    schema_free(<ArrowSchema*>PyCapsule_GetPointer(capsule, "arrow_schema"))


cdef void release_array_capsule(object capsule) noexcept:
    array_free(<ArrowArray*>PyCapsule_GetPointer(capsule, "arrow_array"))


cdef ArrowBatch batch_of(ArrowArray* array, ArrowSchema* schema):
    cdef ArrowBatch batch = ArrowBatch.__new__(ArrowBatch)
    batch.array = array
    batch.schema = schema
    return batch


cdef class ArrowBatch:
    """Hands one struct array to any Arrow library, once."""

    def __dealloc__(self):
        array_free(self.array)
        schema_free(self.schema)

    def __arrow_c_array__(self, requested_schema=None):
        """Returns the (schema, array) capsules; a requested schema is ignored.

        Raises:
            ValueError: when the array was handed out before.
        """
        if self.array == NULL:
            raise ValueError("cannot hand out a batch twice")
        schema = PyCapsule_New(self.schema, "arrow_schema", release_schema_capsule)
        self.schema = NULL
        array = PyCapsule_New(self.array, "arrow_array", release_array_capsule)
        self.array = NULL
        return schema, array
