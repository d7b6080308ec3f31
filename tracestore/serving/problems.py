"""Problem documents (RFC 9457): how the server refuses what no route has seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response


class RefusedError(HTTPException):
    """A request that is refused while it is read; the exception passes through the framework as it is."""

    def __init__(
        self, status: int, title: str, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, detail, headers)
        self.title = title

    def answer(self) -> Response:
        """Returns the refusal as an answer."""
        return problem_answer(self.status_code, self.title, self.detail, headers=self.headers)


def problem_answer(
    status: int,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    hint: str | None = None,
    **more: Any,
) -> Response:
    """Returns a problem document as an answer."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "hint": hint,
        **more,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def invalid_answer(error: RequestValidationError) -> Response:
    """Returns what is wrong with which part of a request."""
    problems = [
        {"loc": list(each["loc"]), "msg": each["msg"], "type": each["type"]}
        for each in error.errors()
    ]
    first = problems[0]
    where = ".".join(str(part) for part in first["loc"])
    return problem_answer(422, "Not valid", f"{where}: {first['msg']}", errors=problems)
