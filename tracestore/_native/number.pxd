"""Decimal text to double and back, both exact.

Reading follows Lemire ("Number parsing at a gigabyte per second", 2021), writing follows Giulietti
("The Schubfach way to render doubles", 2020). Both need powers of ten as 128-bit significands, which
`number.pyx` computes once at import from Python integers.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t

from tracestore._native.buffer cimport Buffer


cdef struct Decimal:
    # (-1)^negative * digits * 10^exponent; `digits` holds the significant digits without trailing zeros.
    bint negative
    uint64_t digits
    int64_t exponent
    # More than 19 significant digits: `digits` is cut and only the text is exact.
    bint cut


cdef enum NumberKind:
    NUMBER_BAD = 0
    NUMBER_I64 = 1
    NUMBER_F64 = 2
    # Well formed, and no int64 or double has exactly its value.
    NUMBER_TEXT = 3

# Scans one RFC 8259 number at p, sets *next past it and its value. Reads no byte at or past `end`.
cdef NumberKind number_read(
    const uint8_t* p, const uint8_t* end, const uint8_t** next, int64_t* i64, double* f64
) noexcept nogil

# The same text rounded to the nearest double whatever its length; NUMBER_BAD text must not be given.
cdef double number_round(const uint8_t* p, const uint8_t* end) noexcept nogil

# The shortest decimal that reads back as `value` (finite, not zero).
cdef void shortest_decimal(double value, uint64_t* digits, int32_t* exponent) noexcept nogil

# Appends a double as JSON text that stays a double: 1.0, 1e+16, "NaN". Returns 0 or -1.
cdef int write_f64(Buffer* out, double value) noexcept nogil
cdef int write_i64(Buffer* out, int64_t value) noexcept nogil
