from collections.abc import Sequence

from tracestore._native.arrow import ArrowBatch
from tracestore._native.builder import Builder

def unshred(builder: Builder, path: Sequence[bytes]) -> bytes: ...
def unshred_values(builder: Builder, path: Sequence[bytes]) -> ArrowBatch: ...
