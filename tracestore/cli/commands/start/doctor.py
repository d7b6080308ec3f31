"""`tracestore doctor`: what most often keeps a first span from arriving, looked at one by one."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

import tracestore
from tracestore.cli.commands.start.findings import Finding, round_trip
from tracestore.cli.connection import folder_of, reading, server_of
from tracestore.cli.options import DataOption, KeyOption, UrlOption
from tracestore.cli.printing import say
from tracestore.cli.sdk_checks import sdk_findings
from tracestore.errors import ClientError, ServerUnreachableError
from tracestore.lazy_module import LazyModule

if TYPE_CHECKING:
    from tracestore.cli.commands.start import machine
else:
    machine = LazyModule("tracestore.cli.commands.start.machine")

CLOCK_S: Final = 5.0
"""Seconds between two clocks from which on spans of both look out of order."""

SdkOption = Annotated[
    bool, typer.Option("--sdk", help="Look at what arrived instead: what is missing, and why.")
]
MinutesOption = Annotated[
    int, typer.Option("--minutes", min=1, max=1_000_000, help="With --sdk: how far back.")
]


def doctor(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    sdk: SdkOption = False,
    minutes: MinutesOption = 15,
) -> None:
    """Looks at settings, ports, disk and clock, sends a span to itself and finds it again.

    With --url it sends the span to that server, into the project `doctor`; else to a server of its own on a
    temporary folder. Status 1 where something does not work. With --sdk it looks at the spans of the last
    minutes instead: which model calls lack content, tokens or a model, and which came twice.
    """
    server = server_of(data, url)
    failed = False
    if sdk:
        findings = _of_sdks(data, url, key, minutes)
    else:
        findings = (
            _of_server(server, key) if server is not None else machine.of_machine(folder_of(data))
        )
    for finding in findings:
        failed |= finding.mark == "FAIL"
        say(f"{finding.mark:<5} {finding.what:<9} {finding.text}")
    if failed:
        raise typer.Exit(1)


def _of_sdks(
    data: Path | None, url: str | None, key: str | None, minutes: int
) -> Iterator[Finding]:
    with reading(data, url, key) as source:
        for mark, what, text in sdk_findings(source, minutes):
            yield Finding(mark, what, text)


def _of_server(url: str, key: str | None) -> Iterator[Finding]:
    with tracestore.Client(url, key) as client:
        try:
            server_time = client.server_time()
        except ServerUnreachableError as error:
            yield Finding("FAIL", "server", str(error))
            return
        except ClientError as error:
            yield Finding("FAIL", "server", f"{url} answers, and is no tracestore: {error}")
            return
        yield Finding("ok", "server", f"{url} answers")
        yield _clock(server_time)
        yield round_trip(client)


def _clock(there: datetime.datetime) -> Finding:
    apart_s = abs((datetime.datetime.now(datetime.UTC) - there).total_seconds())
    if apart_s > CLOCK_S:
        text = (
            f"{apart_s:.0f} s apart from the server's; set both by NTP, or spans lie at wrong times"
        )
        return Finding("note", "clock", text)
    return Finding("ok", "clock", "as the server's")
