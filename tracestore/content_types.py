"""The content types that requests and frames of the log name."""

from __future__ import annotations

from typing import Final

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
ARROW_STREAM: Final = "application/vnd.apache.arrow.stream"
