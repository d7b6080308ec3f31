from collections.abc import Sequence
from typing import Protocol

from tracestore._native.builder import Builder

class _HasArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object = ...) -> tuple[object, object]: ...

def append_batch(
    builder: Builder, batch: _HasArrowArray, columns: Sequence[int | bytes | None], under: bytes
) -> int: ...
