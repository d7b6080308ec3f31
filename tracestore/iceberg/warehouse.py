"""Where the published tables are kept: a catalog of Iceberg, and a place for its metadata beside the segments."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pyiceberg.catalog.sql import SqlCatalog

from tracestore.object_stores import shown_url
from tracestore.store import Store

NAME: Final = "tracestore"
"""The catalog's name: programs that share its database ask for it."""

FOLDER: Final = "iceberg"
CATALOG_FILE: Final = "catalog.sqlite"

_PLAIN: Final = re.compile(r"^[A-Za-z0-9_-]{1,100}$")
_HASH_BYTES: Final = 5


@contextlib.contextmanager
def warehouse(store: Store) -> Iterator[SqlCatalog]:
    """Gives the catalog of a store's tables, made where there is none."""
    folder = store.folder.absolute() / FOLDER
    folder.mkdir(exist_ok=True)
    catalog = SqlCatalog(NAME, **properties(store, folder))
    try:
        yield catalog
    finally:
        catalog.close()


def properties(store: Store, folder: Path) -> dict[str, str]:
    """Returns what pyiceberg is told: the database, and where metadata and segments are."""
    catalog_url = store.publications.catalog_url
    segments_url = store.publications.segments_url
    uri = f"sqlite:///{folder / CATALOG_FILE}"
    if catalog_url is not None and not catalog_url.startswith("sqlite"):
        uri = re.sub(r"^postgresql://", "postgresql+psycopg://", catalog_url)
    if segments_url is None:
        return {"uri": uri, "warehouse": f"file://{folder}"}
    return {
        "uri": uri,
        "warehouse": f"{shown_url(segments_url)}-{FOLDER}",
        **_bucket_properties(segments_url),
    }


def namespace_of(project: str) -> str:
    """Returns the namespace of a project's tables: its name, or a plain form of it with a hash."""
    if _PLAIN.match(project):
        return project
    digest = hashlib.blake2b(project.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES)
    return f"{re.sub('[^A-Za-z0-9_-]', '_', project)[:80]}_{digest.hexdigest()}"


def _bucket_properties(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    if parts.scheme != "s3":
        return {}
    options = dict(parse_qsl(parts.query))
    found: dict[str, str] = {}
    if parts.username:
        found["s3.access-key-id"] = unquote(parts.username)
    if parts.password:
        found["s3.secret-access-key"] = unquote(parts.password)
    if "region" in options:
        found["s3.region"] = options["region"]
    if "endpoint_override" in options:
        found["s3.endpoint"] = f"{options.get('scheme', 'https')}://{options['endpoint_override']}"
    return found
