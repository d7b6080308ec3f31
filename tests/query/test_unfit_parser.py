"""A parser whose classes cannot be extended is refused when the language is loaded, with what to do."""

from __future__ import annotations

import pytest
from sqlglot import parser

from tracestore.errors import UnfitPackageError
from tracestore_query.language.dialect import require_extensible


def test_a_compiled_parser_is_refused_with_the_remedy() -> None:
    with pytest.raises(UnfitPackageError, match="pip uninstall sqlglotc"):
        require_extensible("site-packages/sqlglot/parser.cpython-311-x86_64-linux-gnu.so")


def test_the_parser_that_is_installed_is_taken() -> None:
    require_extensible(str(parser.__file__))
