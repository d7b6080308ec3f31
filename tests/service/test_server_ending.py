"""A server that does not begin, or ends before it served, holds nothing of the machine any more."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tracestore.server import Server, ServerSettings


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def test_a_server_that_never_served_gives_its_port_back(tmp_path: Path) -> None:
    server = Server(ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1))
    assert not is_free(server.http_port)
    server.stop()
    assert is_free(server.http_port)


def test_a_server_whose_other_port_is_taken_gives_back_the_first_one(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        socket.create_server(("127.0.0.1", 0)) as found,
    ):
        port = found.getsockname()[1]
        found.close()
        settings = ServerSettings(
            data=tmp_path / "store", port=port, grpc_port=taken.getsockname()[1]
        )
        with pytest.raises(OSError, match="cannot listen"):
            Server(settings)
        assert is_free(port)
    with Server(ServerSettings(data=tmp_path / "store", port=port, grpc_port=-1)):
        pass
