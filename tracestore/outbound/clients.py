"""HTTP clients whose connections a fence judges: a name is resolved once, and one of the judged addresses is taken."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx

from tracestore.errors import OutboundRefusedError
from tracestore.outbound.addresses import Address
from tracestore.outbound.fence import Fence


def client(fence: Fence, *, timeout_s: float, **more: Any) -> httpx.Client:
    """Returns a client behind a fence."""
    transport = httpx.HTTPTransport(trust_env=False)
    # The transport has no argument for what connects.
    transport._pool = httpcore.ConnectionPool(  # noqa: SLF001
        ssl_context=httpx.create_ssl_context(trust_env=False), network_backend=_Backend(fence)
    )
    return httpx.Client(
        transport=_FencedTransport(transport, fence),
        timeout=timeout_s,
        follow_redirects=False,
        trust_env=False,
        **more,
    )


def async_client(
    fence: Fence, *, timeout: httpx.Timeout | float | None, max_connections: int = 100, **more: Any
) -> httpx.AsyncClient:
    """Returns a client for one event loop behind a fence."""
    transport = httpx.AsyncHTTPTransport(trust_env=False)
    transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001 - the same
        ssl_context=httpx.create_ssl_context(trust_env=False),
        max_connections=max_connections,
        max_keepalive_connections=20,
        keepalive_expiry=30.0,
        network_backend=_AsyncBackend(fence),
    )
    return httpx.AsyncClient(
        transport=_AsyncFencedTransport(transport, fence),
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
        **more,
    )


class _FencedTransport(httpx.BaseTransport):
    """A transport that judges the URL of each request before it is sent."""

    def __init__(self, inner: httpx.HTTPTransport, fence: Fence) -> None:
        self._inner = inner
        self._fence = fence

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request."""
        self._fence.target(str(request.url))
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Closes all connections."""
        self._inner.close()


class _AsyncFencedTransport(httpx.AsyncBaseTransport):
    """The same on an event loop."""

    def __init__(self, inner: httpx.AsyncHTTPTransport, fence: Fence) -> None:
        self._inner = inner
        self._fence = fence

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request."""
        self._fence.target(str(request.url))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Closes all connections."""
        await self._inner.aclose()


class _Backend(httpcore.NetworkBackend):
    """A network of judged addresses alone."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connects to the first of a host's addresses that takes it."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"cannot find {host}: {error}") from error
        failure: Exception | None = None
        for address in self._fence.judge(host, port, _addresses(found)):
            try:
                return self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"cannot connect to {host}")

    def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """Refuses: a socket of this machine is nobody's."""
        raise OutboundRefusedError("cannot ask a socket of this machine")


class _AsyncBackend(httpcore.AsyncNetworkBackend):
    """The same on an event loop."""

    def __init__(self, fence: Fence) -> None:
        self._fence = fence
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the argument of the interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connects to the first of a host's addresses that takes it."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"cannot find {host} in time") from error
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"cannot find {host}: {error}") from error
        failure: Exception | None = None
        for address in self._fence.judge(host, port, _addresses(found)):
            try:
                return await self._inner.connect_tcp(
                    str(address), port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"cannot connect to {host}")

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Refuses: a socket of this machine is nobody's."""
        raise OutboundRefusedError("cannot ask a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Waits, as between two tries of a connection."""
        await asyncio.sleep(seconds)


def _addresses(found: Iterable[Any]) -> list[Address]:
    """Returns the addresses in what a resolver gave, each once and in its order."""
    texts = dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found)
    return [ipaddress.ip_address(text) for text in texts]
