"""Says which kernels are under test when a build of its own is asked for."""

from __future__ import annotations

import os

import pytest

import tracestore


def pytest_report_header() -> str:
    """Returns the line that names the build under test."""
    return f"kernels: {tracestore.__file__}"


@pytest.fixture(autouse=True, scope="session")
def _sanitized_build_is_used_when_asked_for() -> None:
    if os.environ.get("TRACESTORE_EXPECT_SANITIZED"):
        assert tracestore.__file__ is not None
        assert "sanitize" in tracestore.__file__, tracestore.__file__
