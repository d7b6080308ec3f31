from typing import Any

import numpy as np
from numpy.typing import NDArray

from tracestore._native.arrow import ArrowBatch
from tracestore._native.builder import Builder

def export(
    builder: Builder,
    start: int,
    stop: int,
    order: NDArray[np.int64] | None,
    most: int,
    least_rows: int,
    least_density: float,
    dictionary: Any,
    tail: Any,
) -> tuple[ArrowBatch, ArrowBatch | None]: ...
def fixed_column(builder: Builder, column: int, start: int, stop: int) -> ArrowBatch: ...
def row_digests(builder: Builder, start: int, stop: int) -> bytes: ...
