"""Numbers: see number.pxd for the contract and the sources.

Native since every number of a payload passes here; about 10 ns a short number.
"""

from libc.math cimport INFINITY, isinf, isnan
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from tracestore._native.buffer cimport Buffer, buffer_bytes, buffer_reserve, buffer_u8

cdef extern from "platform.h" nogil:
    void ts_mul128(uint64_t a, uint64_t b, uint64_t* hi, uint64_t* lo) noexcept
    int ts_clz64(uint64_t v) noexcept
    double ts_strtod(const char* text) noexcept

cdef enum:
    POWER_MIN = -348
    POWER_MAX = 348
    # 10^0 .. 10^55 fit 128 bits; every other power is cut.
    EXACT_POWER_MAX = 55

cdef uint64_t POWER_HI[POWER_MAX - POWER_MIN + 1]
cdef uint64_t POWER_LO[POWER_MAX - POWER_MIN + 1]
cdef double SMALL_POWER[23]
cdef char DIGIT_PAIRS[200]


def _fill_tables():
    """Computes 10^q = m * 2^e with 2^127 <= m < 2^128, m rounded down, for every q in range."""
    for q in range(POWER_MIN, POWER_MAX + 1):
        if q >= 0:
            exact = 10**q
            shift = exact.bit_length() - 128
            mantissa = exact >> shift if shift > 0 else exact << -shift
        else:
            divisor = 10**-q
            mantissa = (1 << (divisor.bit_length() + 127)) // divisor
            if mantissa >> 128:
                mantissa >>= 1
        POWER_HI[q - POWER_MIN] = mantissa >> 64
        POWER_LO[q - POWER_MIN] = mantissa & 0xFFFFFFFFFFFFFFFF
    for q in range(23):
        SMALL_POWER[q] = 10.0**q
    for q in range(100):
        DIGIT_PAIRS[2 * q] = 48 + q // 10
        DIGIT_PAIRS[2 * q + 1] = 48 + q % 10


_fill_tables()


cdef inline double double_of_bits(uint64_t bits) noexcept nogil:
    cdef double value
    memcpy(&value, &bits, 8)
    return value


cdef bint round_decimal(uint64_t w, int64_t q, double* out) noexcept nogil:
    # Sets *out to the double nearest to w * 10^q (w not zero). Returns 0 where 128 bits cannot decide.
    cdef uint64_t hi, lo, hi2, lo2, mantissa
    cdef int lz, upper_bit, shift
    cdef int64_t power2
    if q < -342:
        out[0] = 0.0
        return 1
    if q > 308:
        out[0] = INFINITY
        return 1
    lz = ts_clz64(w)
    w <<= lz
    ts_mul128(w, POWER_HI[q - POWER_MIN], &hi, &lo)
    if (hi & 0x1FF) == 0x1FF:
        ts_mul128(w, POWER_LO[q - POWER_MIN], &hi2, &lo2)
        lo += hi2
        if hi2 > lo:
            hi += 1
        if lo == <uint64_t>0xFFFFFFFFFFFFFFFF and (q < -27 or q > EXACT_POWER_MAX):
            return 0
    upper_bit = <int>(hi >> 63)
    shift = upper_bit + 64 - 52 - 3
    mantissa = hi >> shift
    # 217706 / 2^16 is log2(10), exact enough for every q in range.
    power2 = ((217706 * q) >> 16) + 63 + upper_bit - lz + 1023
    if power2 <= 0:
        if -power2 + 1 >= 64:
            out[0] = 0.0
            return 1
        mantissa >>= -power2 + 1
        mantissa += mantissa & 1
        mantissa >>= 1
        out[0] = double_of_bits(mantissa)
        return 1
    # A product that ends exactly half way rounds to even.
    if lo <= 1 and -4 <= q <= 23 and (mantissa & 3) == 1 and (mantissa << shift) == hi:
        mantissa &= ~(<uint64_t>1)
    mantissa += mantissa & 1
    mantissa >>= 1
    if mantissa >= (<uint64_t>2 << 52):
        mantissa = <uint64_t>1 << 52
        power2 += 1
    if power2 >= 0x7FF:
        out[0] = INFINITY
        return 1
    out[0] = double_of_bits((mantissa & ~(<uint64_t>1 << 52)) | (<uint64_t>power2 << 52))
    return 1


cdef double round_text(const uint8_t* p, size_t size) noexcept nogil:
    # The slow, always right way: strtod on a copy that ends with a NUL. NaN where memory is out.
    cdef char stack[128]
    cdef char* text = stack
    cdef double value
    if size >= sizeof(stack):
        text = <char*>malloc(size + 1)
        if text == NULL:
            return double_of_bits(<uint64_t>0x7FF8000000000000)
    memcpy(text, p, size)
    text[size] = 0
    value = ts_strtod(text)
    if text != stack:
        free(text)
    return value


cdef NumberKind scan_number(
    const uint8_t* p, const uint8_t* end, const uint8_t** next, Decimal* decimal, bint* integral
) noexcept nogil:
    # Checks the grammar and gathers digits. NUMBER_F64 here means "well formed".
    cdef uint64_t digits = 0
    cdef int64_t exponent = 0
    cdef int64_t written = 0
    cdef int used = 0
    cdef bint cut = 0
    cdef bint written_negative = 0
    cdef uint8_t c
    decimal.negative = 0
    integral[0] = 1
    if p < end and p[0] == c'-':
        decimal.negative = 1
        p += 1
    if p >= end:
        return NUMBER_BAD
    if p[0] == c'0':
        p += 1
        if p < end and <uint8_t>(p[0] - c'0') <= 9:
            return NUMBER_BAD
    else:
        if <uint8_t>(p[0] - c'0') > 9:
            return NUMBER_BAD
        while p < end:
            c = <uint8_t>(p[0] - c'0')
            if c > 9:
                break
            if used < 19:
                digits = digits * 10 + c
                used += 1
            else:
                if c:
                    cut = 1
                exponent += 1
            p += 1
    if p < end and p[0] == c'.':
        integral[0] = 0
        p += 1
        if p >= end or <uint8_t>(p[0] - c'0') > 9:
            return NUMBER_BAD
        while p < end:
            c = <uint8_t>(p[0] - c'0')
            if c > 9:
                break
            if used < 19:
                digits = digits * 10 + c
                exponent -= 1
                if digits:
                    used += 1
            elif c:
                cut = 1
            p += 1
    if p < end and (p[0] | 0x20) == c'e':
        integral[0] = 0
        p += 1
        if p < end and (p[0] == c'+' or p[0] == c'-'):
            written_negative = p[0] == c'-'
            p += 1
        if p >= end or <uint8_t>(p[0] - c'0') > 9:
            return NUMBER_BAD
        while p < end:
            c = <uint8_t>(p[0] - c'0')
            if c > 9:
                break
            # Saturates: any exponent of this size is far outside of every double.
            if written < 100_000_000:
                written = written * 10 + c
            p += 1
        exponent += -written if written_negative else written
    next[0] = p
    decimal.digits = digits
    decimal.exponent = exponent
    decimal.cut = cut
    return NUMBER_F64


cdef void strip_zeros(Decimal* decimal) noexcept nogil:
    while decimal.digits and decimal.digits % 10 == 0:
        decimal.digits //= 10
        decimal.exponent += 1


cdef NumberKind number_read(
    const uint8_t* p, const uint8_t* end, const uint8_t** next, int64_t* i64, double* f64
) noexcept nogil:
    cdef Decimal decimal
    cdef bint integral
    cdef uint64_t shortest
    cdef int32_t shortest_exponent
    cdef double value
    if scan_number(p, end, next, &decimal, &integral) == NUMBER_BAD:
        return NUMBER_BAD
    if integral:
        if decimal.cut or decimal.exponent:
            return NUMBER_TEXT
        if decimal.digits <= <uint64_t>0x7FFFFFFFFFFFFFFF:
            i64[0] = -<int64_t>decimal.digits if decimal.negative else <int64_t>decimal.digits
            return NUMBER_I64
        if decimal.negative and decimal.digits == <uint64_t>0x8000000000000000:
            i64[0] = <int64_t>decimal.digits
            return NUMBER_I64
        return NUMBER_TEXT
    if decimal.digits == 0:
        f64[0] = -0.0 if decimal.negative else 0.0
        return NUMBER_F64
    if decimal.cut:
        return NUMBER_TEXT
    if decimal.digits < <uint64_t>1_000_000_000_000_000 and -22 <= decimal.exponent <= 22:
        # Both factors are exact doubles, so one rounding gives the nearest; 15 digits always read back.
        value = <double>decimal.digits
        if decimal.exponent < 0:
            value /= SMALL_POWER[-decimal.exponent]
        else:
            value *= SMALL_POWER[decimal.exponent]
        f64[0] = -value if decimal.negative else value
        return NUMBER_F64
    strip_zeros(&decimal)
    if decimal.digits >= <uint64_t>100_000_000_000_000_000:
        # More than 17 digits: no shortest form has them.
        return NUMBER_TEXT
    if not round_decimal(decimal.digits, decimal.exponent, &value):
        value = round_text(p, next[0] - p)
        if decimal.negative:
            value = -value
    if isinf(value) or value == 0.0:
        return NUMBER_TEXT
    shortest_decimal(value, &shortest, &shortest_exponent)
    if shortest != decimal.digits or shortest_exponent != decimal.exponent:
        return NUMBER_TEXT
    f64[0] = -value if decimal.negative else value
    return NUMBER_F64


cdef double number_round(const uint8_t* p, const uint8_t* end) noexcept nogil:
    cdef Decimal decimal
    cdef bint integral
    cdef const uint8_t* next
    cdef double value
    if scan_number(p, end, &next, &decimal, &integral) == NUMBER_BAD:
        return 0.0
    if decimal.digits == 0:
        return -0.0 if decimal.negative else 0.0
    if not decimal.cut and round_decimal(decimal.digits, decimal.exponent, &value):
        return -value if decimal.negative else value
    return round_text(p, next - p)


cdef inline uint64_t round_to_odd(uint64_t hi, uint64_t lo, uint64_t factor) noexcept nogil:
    cdef uint64_t x_hi, x_lo, y_hi, y_lo
    ts_mul128(lo, factor, &x_hi, &x_lo)
    ts_mul128(hi, factor, &y_hi, &y_lo)
    y_lo += x_hi
    if y_lo < x_hi:
        y_hi += 1
    return y_hi | (y_lo > 1)


cdef void shortest_decimal(double value, uint64_t* digits, int32_t* exponent) noexcept nogil:
    cdef uint64_t bits, fraction, c, hi, lo, lower, upper, middle, left, right, s, tens
    cdef int32_t biased, q, k, h
    cdef bint odd, closer, below_inside, above_inside
    cdef uint64_t answer
    cdef int32_t scale
    memcpy(&bits, &value, 8)
    fraction = bits & <uint64_t>0xFFFFFFFFFFFFF
    biased = <int32_t>((bits >> 52) & 0x7FF)
    if biased:
        c = fraction | (<uint64_t>1 << 52)
        q = biased - 1075
    else:
        c = fraction
        q = -1074
    odd = c & 1
    closer = fraction == 0 and biased > 1
    # Scaled by four: the value, and the ends of the interval that rounds to it.
    middle = 4 * c
    left = middle - 2 + closer
    right = middle + 2
    k = (q * 1262611 - (524031 if closer else 0)) >> 22
    h = q + ((-k * 1741647) >> 19) + 1
    hi = POWER_HI[-k - POWER_MIN]
    lo = POWER_LO[-k - POWER_MIN]
    if -k < 0 or -k > EXACT_POWER_MAX:
        lo += 1
        if lo == 0:
            hi += 1
    lower = round_to_odd(hi, lo, left << h) + odd
    middle = round_to_odd(hi, lo, middle << h)
    upper = round_to_odd(hi, lo, right << h) - odd
    s = middle // 4
    answer = 0
    scale = k
    if s >= 10:
        tens = s // 10
        below_inside = lower <= 40 * tens
        above_inside = 40 * tens + 40 <= upper
        if below_inside != above_inside:
            answer = tens + above_inside
            scale = k + 1
    if answer == 0:
        below_inside = lower <= 4 * s
        above_inside = 4 * s + 4 <= upper
        if below_inside != above_inside:
            answer = s + above_inside
        else:
            tens = 4 * s + 2
            answer = s
            if middle > tens or (middle == tens and s & 1 != 0):
                answer += 1
    while answer % 10 == 0:
        answer //= 10
        scale += 1
    digits[0] = answer
    exponent[0] = scale


cdef inline int digits_of(uint64_t value, char* out) noexcept nogil:
    # Writes decimal digits right-aligned into out[20], returns their count.
    cdef int at = 20
    cdef uint64_t pair
    while value >= 100:
        pair = value % 100
        value //= 100
        at -= 2
        out[at] = DIGIT_PAIRS[2 * pair]
        out[at + 1] = DIGIT_PAIRS[2 * pair + 1]
    if value >= 10:
        at -= 2
        out[at] = DIGIT_PAIRS[2 * value]
        out[at + 1] = DIGIT_PAIRS[2 * value + 1]
    else:
        at -= 1
        out[at] = <char>(48 + value)
    return 20 - at


cdef int write_i64(Buffer* out, int64_t value) noexcept nogil:
    cdef char text[20]
    cdef int size
    if value < 0:
        if buffer_u8(out, c'-') != 0:
            return -1
        size = digits_of(0 - <uint64_t>value, text)
    else:
        size = digits_of(<uint64_t>value, text)
    return buffer_bytes(out, text + 20 - size, size)


cdef int write_f64(Buffer* out, double value) noexcept nogil:
    cdef char text[20]
    cdef char* first
    cdef int size, point, _i
    cdef uint64_t digits
    cdef int32_t exponent
    if isnan(value):
        return buffer_bytes(out, b'"NaN"', 5)
    if isinf(value):
        if value > 0:
            return buffer_bytes(out, b'"Infinity"', 10)
        return buffer_bytes(out, b'"-Infinity"', 11)
    if buffer_reserve(out, 40) != 0:
        return -1
    memcpy(&digits, &value, 8)
    if digits >> 63:
        buffer_u8(out, c'-')
        value = -value
    if value == 0.0:
        return buffer_bytes(out, b"0.0", 3)
    shortest_decimal(value, &digits, &exponent)
    size = digits_of(digits, text)
    first = text + 20 - size
    # The decimal point stands before digit `point`, counted from the first digit.
    point = size + exponent
    if point > -4 and point <= 16:
        if point <= 0:
            buffer_bytes(out, b"0.", 2)
            for _i in range(-point):
                buffer_u8(out, c'0')
            return buffer_bytes(out, first, size)
        if point >= size:
            buffer_bytes(out, first, size)
            for _i in range(point - size):
                buffer_u8(out, c'0')
            return buffer_bytes(out, b".0", 2)
        buffer_bytes(out, first, point)
        buffer_u8(out, c'.')
        return buffer_bytes(out, first + point, size - point)
    buffer_u8(out, first[0])
    if size > 1:
        buffer_u8(out, c'.')
        buffer_bytes(out, first + 1, size - 1)
    buffer_u8(out, c'e')
    if point - 1 < 0:
        buffer_u8(out, c'-')
        return write_i64(out, 1 - point)
    buffer_u8(out, c'+')
    return write_i64(out, point - 1)
