import numpy as np
from numpy.typing import NDArray

def list_sizes(
    starts: NDArray[np.int64], bounds: NDArray[np.int32], sizes: NDArray[np.int64]
) -> None: ...
def write_lists(
    starts: NDArray[np.int64],
    values: NDArray[np.int32],
    bounds: NDArray[np.int32],
    places: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None: ...
