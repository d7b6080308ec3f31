import numpy as np
from numpy.typing import NDArray

from tracestore._native.arrow import ArrowBatch
from tracestore._native.builder import Builder

def leaf_values(
    builder: Builder, keys: tuple[bytes, ...], leaf_type: int, start: int, stop: int
) -> ArrowBatch | None: ...
def put_values(
    builder: Builder,
    keys: tuple[bytes, ...],
    start: int,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    text: bytes | None,
) -> int: ...
