"""ISO 8601 text to nanoseconds since 1970."""

from libc.stdint cimport int64_t, uint8_t


cdef inline bint two_digits(const uint8_t* p, int64_t* out) noexcept nogil:
    if not (c'0' <= p[0] <= c'9' and c'0' <= p[1] <= c'9'):
        return 0
    out[0] = (p[0] - c'0') * 10 + (p[1] - c'0')
    return 1


cdef inline int64_t days_from_civil(int64_t year, int64_t month, int64_t day) noexcept nogil:
    # Days since 1970-01-01 in the proleptic Gregorian calendar; years begin in March so that leap days end them.
    cdef int64_t y = year - (1 if month <= 2 else 0)
    cdef int64_t era = (y if y >= 0 else y - 399) // 400
    cdef int64_t year_of_era = y - era * 400
    cdef int64_t day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    cdef int64_t day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146097 + day_of_era - 719468


cdef inline int64_t days_in_month(int64_t year, int64_t month) noexcept nogil:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month == 4 or month == 6 or month == 9 or month == 11 else 31


cdef inline bint read_timestamp(const uint8_t* p, size_t size, int64_t* out) noexcept nogil:
    # "2026-01-31T23:59:59.123456789+02:00": date and time to the second, then up to nine decimals, then Z or an
    # offset or nothing (UTC). A space may stand for the T. Years 1678 to 2261: what 64 bits of nanoseconds hold.
    cdef const uint8_t* end = p + size
    cdef int64_t century, year, month, day, hour, minute, second
    cdef int64_t nanoseconds = 0
    cdef int64_t unit = 100_000_000
    cdef int64_t offset_hours = 0
    cdef int64_t offset_minutes = 0
    cdef int64_t seconds
    cdef bint east
    if size < 19 or p[4] != c'-' or p[7] != c'-' or (p[10] | 0x20 != c't' and p[10] != c' '):
        return 0
    if p[13] != c':' or p[16] != c':':
        return 0
    if not (two_digits(p, &century) and two_digits(p + 2, &year) and two_digits(p + 5, &month)):
        return 0
    if not (two_digits(p + 8, &day) and two_digits(p + 11, &hour)):
        return 0
    if not (two_digits(p + 14, &minute) and two_digits(p + 17, &second)):
        return 0
    year += century * 100
    if not (1678 <= year <= 2261 and 1 <= month <= 12 and 1 <= day <= 31):
        return 0
    if hour > 23 or minute > 59 or second > 60 or day > days_in_month(year, month):
        return 0
    p += 19
    if p < end and (p[0] == c'.' or p[0] == c','):
        p += 1
        if p >= end or not (c'0' <= p[0] <= c'9'):
            return 0
        while p < end and c'0' <= p[0] <= c'9':
            nanoseconds += (p[0] - c'0') * unit
            unit //= 10
            p += 1
    if p < end:
        if p[0] | 0x20 == c'z':
            p += 1
        elif p[0] == c'+' or p[0] == c'-':
            east = p[0] == c'+'
            p += 1
            if end - p < 2 or not two_digits(p, &offset_hours):
                return 0
            p += 2
            if p < end and p[0] == c':':
                p += 1
            if end - p >= 2:
                if not two_digits(p, &offset_minutes):
                    return 0
                p += 2
            if east:
                offset_hours = -offset_hours
                offset_minutes = -offset_minutes
    if p != end or not (-23 <= offset_hours <= 23 and -59 <= offset_minutes <= 59):
        return 0
    seconds = days_from_civil(year, month, day) * 86400 + (hour + offset_hours) * 3600
    seconds += (minute + offset_minutes) * 60 + second
    out[0] = seconds * 1_000_000_000 + nanoseconds
    return 1
