from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Keys: TypeAlias = NDArray[np.uint64]

def add_keys(
    slots: _Keys, others: _Keys, keys: _Keys, is_new: NDArray[np.uint8], used: int
) -> int: ...
def find_keys(slots: _Keys, keys: _Keys, is_member: NDArray[np.uint8]) -> None: ...
def remove_keys(slots: _Keys, keys: _Keys) -> None: ...
def hash_words(keys: _Keys, words: _Keys) -> None: ...
def number_texts(
    offsets: NDArray[np.int32],
    data: NDArray[np.uint8],
    texts: tuple[bytes, ...],
    numbers: _Keys,
) -> None: ...
