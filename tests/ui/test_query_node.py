"""The pages of a node that only answers: what people do on them is what they do on any other."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from typing import Literal

import pytest

from nodes.cluster import fresh_database, places
from tracestore.client import Client
from tracestore.demo.support import PROJECT, support_day
from tracestore.demo.support_documents import save_documents
from tracestore.demo.support_evals import run_support_evals
from tracestore.server import Server, ServerSettings
from ui import test_boards, test_pages, test_review, test_saved

# Every test of these modules that is given `support` is a test of this module, too.
for _module in (test_boards, test_pages, test_review, test_saved):
    for _name, _test in inspect.getmembers(_module, inspect.isfunction):
        if _name.startswith("test_") and "support" in inspect.signature(_test).parameters:
            globals()[_name] = _test


@pytest.fixture(scope="module")
def support(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A node that only answers, beside one that took a day of the support agent: half of it is in memory there."""
    folder = tmp_path_factory.mktemp("nodes")
    with places(folder) as (base, segments), fresh_database(base, "pages") as catalog:

        def node(name: str, role: Literal["all", "query"]) -> Server:
            settings = ServerSettings(
                data=folder / name,
                catalog=catalog,
                segments=segments,
                role=role,
                port=0,
                grpc_port=-1,
            )
            return Server(settings)

        with node("takes", "all") as takes, node("answers", "query") as answers:
            with Client(takes.url) as client:
                day = list(support_day(time.time_ns(), traces=120))
                client.insert("spans", day[: len(day) // 2], project=PROJECT)
                takes.store.flush()
                client.insert("spans", day[len(day) // 2 :], project=PROJECT)
                run_support_evals(client, time.time_ns())
                save_documents(client)
            yield answers
