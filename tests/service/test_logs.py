"""A log that nobody can read any more stops nothing that works."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest
import structlog

from tracestore.serving.logs import configure_logs


@pytest.fixture(autouse=True)
def configured() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_line_goes_to_what_standard_error_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", first)
    configure_logs()
    log = structlog.get_logger("tracestore.test")
    log.info("one")
    monkeypatch.setattr(sys, "stderr", second)
    log.info("two")
    assert "one" in first.getvalue()
    assert "two" in second.getvalue()


def test_a_closed_standard_error_loses_the_line_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", closed)
    configure_logs()
    closed.close()
    structlog.get_logger("tracestore.test").warning("nobody reads this")
