"""An answer that is passed back: its headers as they came, its bytes as they come, and what is done at its end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import httpx
from starlette.responses import StreamingResponse


class PassedBack(StreamingResponse):
    """An answer of a provider.

    Args:
        parts: its bytes.
        status: its status.
        headers: its headers, repeated ones too.
        close: is called at its end, whatever that is: also where the client went away before the first byte.
    """

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        status: int,
        headers: Iterable[tuple[str, str]],
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(parts, status)
        self.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers
        ]
        self._close = close

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Sends it."""
        try:
            # The connection ends without an end, as the provider's did; the call's span says so.
            with contextlib.suppress(httpx.HTTPError):
                await super().__call__(scope, receive, send)
        finally:
            if self._close is not None:
                await self._close()
