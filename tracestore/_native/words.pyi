import numpy as np
from numpy.typing import NDArray

def words(text: bytes | bytearray | memoryview) -> list[bytes]: ...
def find_words(
    offsets: NDArray[np.int32],
    data: NDArray[np.uint8],
    wanted: tuple[bytes, ...],
    found: NDArray[np.uint64],
    *,
    of_json: bool,
) -> None: ...
