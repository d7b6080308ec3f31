"""Arrow's functions over columns, loaded at the first call: it takes 25 ms of CPU, and a short command calls none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    import pyarrow.compute as pc
else:
    pc = LazyModule("pyarrow.compute")

__all__ = ["pc"]
