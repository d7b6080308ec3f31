import numpy as np
from numpy.typing import NDArray

from tracestore._native.arrow import ArrowBatch

def item_texts(
    offsets: NDArray[np.int32], data: NDArray[np.uint8], max_keys: int
) -> tuple[ArrowBatch | None, tuple[bytes, ...], bool]: ...
