"""`tracestore mcp`: a store's tools for coding agents, over standard input and output."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tracestore.cli.connection import folder_of, server_of
from tracestore.cli.options import DataOption, KeyOption, UrlOption
from tracestore.errors import StoreLockedError, TraceStoreError
from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    from tracestore import server as servers
    from tracestore.serving import logs
else:
    servers = LazyModule("tracestore.server")
    logs = LazyModule("tracestore.serving.logs")


def mcp(data: DataOption = None, url: UrlOption = None, key: KeyOption = None) -> None:
    """Gives coding agents a store's tools, over standard input and output."""
    try:
        from tracestore.doors.mcp_server import run_stdio  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise TraceStoreError(
            "cannot speak MCP: its package is not installed; pip install 'tracestore[mcp]'"
        ) from None
    server = server_of(data, url)
    if server is not None:
        run_stdio(server, key)
        return
    with _served(folder_of(data)) as address:
        run_stdio(address, key)


@contextlib.contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Gives the address of a folder's server: the one that runs, else one of our own on a free port."""
    # Standard output is the protocol's.
    logs.configure_logs("error")
    try:
        server = servers.Server(servers.ServerSettings(data=folder, port=0, grpc_port=-1))
    except StoreLockedError as error:
        if error.url is None:
            raise
        print(f"{folder} is served at {error.url}", file=sys.stderr)
        yield error.url
        return
    with server:
        yield server.url
