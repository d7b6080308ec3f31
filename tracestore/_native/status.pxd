"""What every kernel returns: TS_OK or why it stopped. Negative, so that `if status` and `< 0` both read."""

cdef enum Status:
    TS_OK = 0
    TS_NO_MEMORY = -1
    # The bytes end before the value does.
    TS_TRUNCATED = -2
    # The bytes cannot be what they should be; `reason` says what.
    TS_SYNTAX = -3
    # A bound of tracestore.limits would be passed.
    TS_LIMIT = -4
    # The value is well formed and still not acceptable: it costs its row, not its payload.
    TS_ROW = -5
