"""When a span ends, and how long spans take together, in nanoseconds: whatever times a sender made up."""

from __future__ import annotations

from typing import Final

_MOST: Final = 2**63 - 1

END_NS: Final = (
    f"(start_ns + greatest(least(coalesce(duration_ns, 0), {_MOST} - greatest(start_ns, 0)), "
    f"-{_MOST} - least(start_ns, 0)))"
)
"""The end of a span, the last or first moment that there is where it would lie beyond: two BIGINT may have no sum."""

TOGETHER_NS: Final = (
    f"CAST(least(CAST(max({END_NS}) AS HUGEINT) - min(start_ns), {_MOST}) AS BIGINT)"
)
"""From the first start to the last end of a group, the longest time that there is where it is longer."""
