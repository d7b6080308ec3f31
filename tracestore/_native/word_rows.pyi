import numpy as np
from numpy.typing import NDArray

from tracestore._native.word_index import WordIndex

def filter_hash(word: bytes) -> int: ...
def count_rows(index: WordIndex, counts: NDArray[np.uint64]) -> None: ...
def write_blocks(
    index: WordIndex,
    order: NDArray[np.int64],
    shifts: NDArray[np.uint8],
    starts: NDArray[np.int64],
    out: NDArray[np.int32],
) -> None: ...
def count_blocks(
    index: WordIndex, chosen: NDArray[np.uint8], block_rows: int, counts: NDArray[np.uint64]
) -> None: ...
def write_filters(
    index: WordIndex,
    chosen: NDArray[np.uint8],
    block_rows: int,
    sizes: NDArray[np.int64],
    bits: NDArray[np.uint32],
) -> None: ...
