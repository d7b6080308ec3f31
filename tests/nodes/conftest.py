"""What tests of several nodes share: one PostgreSQL and one server of S3 a module, a catalog and a bucket a test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodes.cluster import Cluster, fresh_database, places


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    with places(tmp_path_factory.mktemp("places")) as urls:
        yield urls


@pytest.fixture
def cluster(
    request: pytest.FixtureRequest, shared: tuple[str, str], tmp_path: Path
) -> Iterator[Cluster]:
    catalog, segments = shared
    name = "t" + re.sub(r"\W+", "_", request.node.name.lower())[:50]
    with fresh_database(catalog, name) as url:
        yield Cluster(tmp_path, url, segments.replace("/store?", f"/{name}?"))
