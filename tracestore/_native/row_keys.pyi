from collections.abc import Iterable

def row_keys(
    payload: bytes | bytearray | memoryview, groups: Iterable[tuple[bytes, ...]]
) -> tuple[int, tuple[int, ...], tuple[int, ...]] | None: ...
