"""`tracestore nodes`: who shares a catalog and its segments, and who is up."""

from __future__ import annotations

import os
from typing import Annotated

import typer

import tracestore
from tracestore.cli.options import FormatOption, KeyOption, UrlOption
from tracestore.cli.printing import say, show, tell


def nodes(
    url: UrlOption = None,
    key: KeyOption = None,
    forget: Annotated[
        str | None,
        typer.Option(
            help="The id of a node that will not return: its rows that are in no segment are not missed any more."
        ),
    ] = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Lists the nodes that share a server's catalog; any of them may be asked."""
    server = url or os.environ.get("TRACESTORE_URL")
    if not server:
        raise typer.BadParameter("name a node by --url, or TRACESTORE_URL")
    with tracestore.Client(server, key) as client:
        if forget is not None:
            client.forget_node(forget)
            tell(f"node {forget} is forgotten")
            return
        found = client.nodes()
    if format == "table" and not found:
        say("this store has one writer and no nodes")
        return
    show(
        [
            {
                "node": node["node_id"],
                "role": node["role"],
                "url": node["url"],
                "up": node["is_up"],
                "stopped": node["stopped"],
                "place": node["place"],
                "software": node["software"],
            }
            for node in found
        ]
        if format == "table"
        else found,
        format,
    )
