"""Opens the parts of a store in their order, and closes them again where that fails."""

from __future__ import annotations

import logging
from importlib import metadata
from pathlib import Path

from tracestore.errors import CatalogError, StoreMissingError
from tracestore.segment.footer import FORMAT
from tracestore.store import recovery
from tracestore.store.catalog.catalog import Catalog
from tracestore.store.core import Core
from tracestore.store.files import filenames
from tracestore.store.files.leases import Lease
from tracestore.store.files.object_files import ObjectFiles
from tracestore.store.files.segment_files import LocalFiles, SegmentFiles
from tracestore.store.files.segment_ids import UlidMaker
from tracestore.store.files.uploads import Uploads
from tracestore.store.nodes import membership
from tracestore.store.rewrite import deletes
from tracestore.store.segments.writer import SegmentStore, WordsRule
from tracestore.store.settings import Settings

logger = logging.getLogger(__name__)


def open_writer(folder: Path, settings: Settings) -> Core:
    """Opens a store for writing; the caller holds the writer's lock. Rows of the log are in memory then.

    Raises CatalogError for a node's folder whose catalog is not named: its log would go into a catalog of its own, and
    other nodes would not even miss the rows. So it does for a node in the folder of a store of its own, whose segments
    its nodes would not see.
    """
    if settings.node is not None and (folder / filenames.CATALOG).exists():
        raise CatalogError(
            f"cannot open store {folder} as a node: it is a store of its own, with {filenames.CATALOG}; start the node "
            "in an empty folder, and bring the rows by `tracestore export` and `tracestore import`"
        )
    if settings.catalog_url is None and (folder / filenames.NODE).exists():
        raise CatalogError(
            f"cannot open store {folder}: it is the folder of a node; name what its nodes share, by TRACESTORE_CATALOG "
            "and TRACESTORE_SEGMENTS or by --catalog and --segments"
        )
    core = make_core(folder, settings)
    try:
        member = None
        if settings.node is not None:
            member = membership.join(core, settings.node, metadata.version("tracestore"))
        recovery.load_index(core)
        core.ulids.start_after(recovery.newest_id(core))
        if member is None:
            recovery.check_files(core)
            recovery.remove_leftovers(core)
        else:
            recovery.remove_own_leftovers(core)
        if settings.node != "query":
            core.wal = recovery.replay(core)
            deletes.resume(core)
        if member is not None:
            member.opened()
        for fault in core.faults:
            logger.error("file is not as it should be: %s: %s", fault.path, fault.what)
    except BaseException:
        if core.node is not None and core.node.member is not None:
            core.node.member.stop()
        recovery.close_quietly(core)
        raise
    return core


def require_store(folder: Path, settings: Settings) -> None:
    """Raises StoreMissingError where a folder holds no store."""
    if settings.catalog_url is None and not (folder / filenames.CATALOG).exists():
        raise StoreMissingError(
            f"cannot open store {folder}: no store here; open it with mode='rw'"
        )


def open_reader(folder: Path, settings: Settings) -> Core:
    """Opens a store for reading flushed rows; raises StoreMissingError where there is none."""
    require_store(folder, settings)
    core = make_core(folder, settings)
    try:
        if not settings.follows:
            recovery.load_index(core)
    except BaseException:
        recovery.close_quietly(core)
        raise
    return core


def make_core(folder: Path, settings: Settings) -> Core:
    """Returns the parts of a store, nothing read yet."""
    files: SegmentFiles
    if settings.segments_url is None:
        files = LocalFiles(folder / filenames.SEGMENTS_FOLDER, settings.fs)
    else:
        cache = folder / settings.cache_folder
        files = ObjectFiles(settings.segments_url, cache, settings.fs, settings.object_cache_bytes)
    shared = settings.node is not None
    if shared and (settings.catalog_url is None or settings.segments_url is None):
        raise CatalogError(
            f"cannot run {folder} as a node: it shares nothing; name a catalog by a URL of PostgreSQL, and segments by "
            "one of a bucket"
        )
    ulids = UlidMaker()
    catalog = Catalog(
        settings.catalog_url or folder / filenames.CATALOG,
        writable=settings.mode == "rw",
        defaults={"store_id": ulids.make(settings.clock.now_ns()), "segment_format": str(FORMAT)},
        shared=shared,
    )
    rule = WordsRule(settings.min_words_rows, settings.max_words_share)
    share = settings.max_item_columns_share
    uploads = Uploads(folder / filenames.UPLOADS_FOLDER, settings.fs) if shared else None
    segments = SegmentStore(files, settings.fs, ulids, settings.clock, rule, share, uploads)
    return Core(folder, settings, catalog, segments, ulids)


def make_lease(core: Core) -> Lease:
    """Returns a lease that keeps every file from now on, for a snapshot of a reader process."""
    folder = core.folder / filenames.READERS_FOLDER
    folder.mkdir(exist_ok=True)
    return Lease(folder, core.ulids.make(core.clock.now_ns()))
