"""The store's changes between the two processes: asked for by the engine, told by the writer.

The engine asks in a letter, and tells in JSON what it reads of other nodes' rows. The writer answers with a pickled
change, which only the engine unpacks, and with the descriptor of a memory file that holds the new Arrow tables as IPC
streams, one behind the other.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pickle
import socket
import struct
import threading
from typing import Final

import pyarrow as pa
import structlog

from tracestore.errors import TraceStoreError
from tracestore.store import Change, ChangeFeed, Need

log = structlog.get_logger("tracestore.engine")

_CHANGE: Final = b"c"
_VERSION: Final = b"v"
_LENGTH: Final = struct.Struct(">I")  # of what is read
_LENGTHS: Final = struct.Struct(">QQ")  # of the pickle, of the memory file
Places = dict[int, tuple[int, int]]  # a table's number: its offset and length in the memory file


class StateServer:
    """The writer's side: a thread that answers one engine process until it is gone."""

    def __init__(self, feed: ChangeFeed, connected: socket.socket) -> None:
        self._feed = feed
        self._socket = connected
        self._thread = threading.Thread(target=self._serve, name="engine-state", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        # Closing alone would leave a thread that waits in a read.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        try:
            while asked := self._socket.recv(1):
                if asked == _VERSION:
                    self._socket.sendall(struct.pack(">Q", self._feed.version))
                else:
                    (length,) = _LENGTH.unpack(received(self._socket, _LENGTH.size))
                    need = Need.of(json.loads(received(self._socket, length)))
                    self._tell(self._feed.next(need))
        except OSError:
            return
        except TraceStoreError:
            # The store is being closed. The engine learns it from the end of its connection.
            return
        except Exception:
            log.exception("cannot tell the engine process what is new")
        finally:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _tell(self, change: Change) -> None:
        places: Places = {}
        memory = -1
        size = 0
        try:
            if change.chunks:
                memory = os.memfd_create("tracestore-rows", os.MFD_CLOEXEC)
                size = _write_tables(memory, change, places)
            data = pickle.dumps(
                (dataclasses.replace(change, chunks={}), places), pickle.HIGHEST_PROTOCOL
            )
            lengths = _LENGTHS.pack(len(data), size)
            if memory >= 0:
                socket.send_fds(self._socket, [lengths], [memory])
            else:
                self._socket.sendall(lengths)
            self._socket.sendall(data)
        finally:
            if memory >= 0:
                os.close(memory)


def _write_tables(memory: int, change: Change, places: Places) -> int:
    """Writes tables into a memory file, notes where each lies, and returns the file's size."""
    with pa.OSFile(f"/proc/self/fd/{memory}", "w") as sink:
        for number, table in change.chunks.items():
            start = sink.tell()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            # Arrow's buffers begin at multiples of 64 bytes.
            end = sink.tell()
            sink.write(b"\0" * (-end % 64))
            places[number] = (start, end - start)
        return int(sink.tell())


class StateClient:
    """The engine's side. One thread at a time: the follower locks."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected

    def change(self, need: Need) -> Change:
        """Returns what is new at the writer since the last call, for what is read of rows in memory."""
        told = json.dumps(need.told()).encode()
        self._socket.sendall(_CHANGE + _LENGTH.pack(len(told)) + told)
        head, descriptors, _, _ = socket.recv_fds(self._socket, _LENGTHS.size, 1)
        try:
            while len(head) < _LENGTHS.size:
                head += received(self._socket, _LENGTHS.size - len(head))
            length, size = _LENGTHS.unpack(head)
            change: Change
            change, places = pickle.loads(received(self._socket, length))  # noqa: S301 - the writer is the more trusted side
            chunks = _read_tables(descriptors[0], places) if size else {}
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        return dataclasses.replace(change, chunks=chunks)

    def version(self) -> int:
        """Returns the catalog's version that the writer is at."""
        self._socket.sendall(_VERSION)
        return int.from_bytes(received(self._socket, 8), "big")


def received(connected: socket.socket, length: int) -> bytearray:
    """Returns so many bytes of a connection. Raises ConnectionError where it ends before."""
    data = bytearray(length)
    view = memoryview(data)
    while view:
        size = connected.recv_into(view)
        if size == 0:
            raise ConnectionError("cannot follow the store: the other process is gone")
        view = view[size:]
    return data


def _read_tables(memory: int, places: Places) -> dict[int, pa.Table]:
    """Returns tables over a memory file; they share its pages with the writer, which keeps none of them."""
    with pa.memory_map(f"/proc/self/fd/{memory}") as file:
        data = file.read_buffer()
    return {
        number: pa.ipc.open_stream(data.slice(start, length)).read_all()
        for number, (start, length) in places.items()
    }
