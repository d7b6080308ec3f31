"""Saved documents: every save is a version, and of two that change one version the second is refused."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest

from data.stores import span
from store.kit import FakeClock, open_store
from tracestore.errors import (
    DocumentConflictError,
    DocumentError,
    ReadOnlyError,
    UnknownDocumentError,
)
from tracestore.store import documents as module
from tracestore.store.catalog import documents as tables

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "v1" / "store"


def test_a_document_is_there_with_all_its_versions_after_a_restart(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_store(tmp_path, clock=clock) as store:
        first = store.documents.create("board", "Traffic", {"tiles": []}, author="ann")
        clock.advance(60)
        store.documents.save(
            first.document_id, {"tiles": [1]}, kind="board", version=1, name="Load", author="bob"
        )
    with open_store(tmp_path) as store:
        [listed] = store.documents.list(["default"], kind="board")
        assert (listed.name, listed.version, listed.author, listed.body) == ("Load", 2, "bob", None)
        assert listed.updated_ns - listed.created_ns == 60 * 10**9
        assert store.documents.get(first.document_id, kind="board").body == {"tiles": [1]}
        old = store.documents.get(first.document_id, kind="board", version=1)
        assert (old.name, old.body) == ("Traffic", {"tiles": []})
        kept = store.documents.versions(first.document_id, kind="board")
        assert [(each.version, each.author) for each in kept] == [(2, "bob"), (1, "ann")]
    with open_store(tmp_path, mode="r") as reader:
        assert [each.name for each in reader.documents.list()] == ["Load"]
        with pytest.raises(ReadOnlyError):
            reader.documents.create("board", "x", {})


def test_of_many_that_change_one_version_one_wins(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        document = store.documents.create("view", "v", {"n": 0})
        outcomes: list[str] = []

        def change(number: int) -> None:
            try:
                store.documents.save(
                    document.document_id, {"n": number}, kind="view", version=1, author="ann"
                )
                outcomes.append("saved")
            except DocumentConflictError as error:
                outcomes.append(str(error))

        threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes.count("saved") == 1
        refused = next(each for each in outcomes if each != "saved")
        assert "version 2 was saved by ann since version 1" in refused
        with pytest.raises(DocumentConflictError):
            store.documents.delete(document.document_id, kind="view", version=1)
        store.documents.delete(document.document_id, kind="view", version=2)
        assert store.documents.list() == []


def test_a_document_is_found_by_its_kind_and_project_alone(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        document = store.documents.create("alert", "a", {}, project="shop")
        for kind, project in (("view", "shop"), ("alert", None), ("alert", "bank")):
            with pytest.raises(UnknownDocumentError):
                store.documents.get(document.document_id, kind=kind, project=project)
            with pytest.raises(UnknownDocumentError):
                store.documents.delete(document.document_id, kind=kind, version=1, project=project)
        assert store.documents.list(["bank"]) == []
        store.documents.create("view", "a", {}, project="shop")
        with pytest.raises(DocumentConflictError, match="there is one of that name"):
            store.documents.create("alert", "a", {}, project="shop")


@pytest.mark.parametrize("name", ["", "  ", "a\0b", "a\nb", "\ud800", "x" * 201])
def test_a_name_that_no_list_can_show_is_refused(tmp_path: Path, name: str) -> None:
    with open_store(tmp_path) as store, pytest.raises(DocumentError, match="printable"):
        store.documents.create("view", name, {})


def test_what_is_saved_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DOCUMENTS", 2)
    monkeypatch.setattr(module, "MAX_PROJECT_BYTES", 300)
    monkeypatch.setattr(tables, "MAX_VERSIONS", 3)
    with open_store(tmp_path) as store:
        document = store.documents.create("view", "a", {})
        with pytest.raises(DocumentError, match="not JSON"):
            store.documents.create("view", "b", {"n": float("nan")})
        with pytest.raises(DocumentError, match="bytes"):
            store.documents.create("view", "b", {"text": "x" * module.MAX_BODY_BYTES})
        with pytest.raises(DocumentError, match="more than 300"):
            store.documents.create("view", "b", {"text": "x" * 300})
        store.documents.create("view", "b", {})
        with pytest.raises(DocumentError, match="has 2 documents"):
            store.documents.create("view", "c", {})
        for version in range(1, 6):
            store.documents.save(document.document_id, {}, kind="view", version=version)
        kept = store.documents.versions(document.document_id, kind="view")
        assert [each.version for each in kept] == [6, 5, 4]


def test_a_project_that_is_deleted_takes_its_documents_along(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(1)], project="shop")
        store.documents.create("view", "a", {}, project="shop")
        store.documents.create("view", "a", {}, project="bank")
        store.delete(project="shop")
        assert [each.project for each in store.documents.list()] == ["bank"]


def test_a_catalog_of_an_earlier_version_gets_documents_when_it_is_opened(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    shutil.copytree(GOLDEN, folder)
    with open_store(folder) as store:
        assert store.documents.list() == []
        store.documents.create("query", "q", {"sql": "SELECT 1"})
        assert [each.name for each in store.documents.list()] == ["q"]
