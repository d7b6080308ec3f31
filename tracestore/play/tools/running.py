"""Tools as a model calls them: a function in the sandbox, and a request behind a fence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from tracestore.errors import CodeError, OutboundRefusedError, PlayError
from tracestore.play.tools.body import HttpToolBody, PythonToolBody
from tracestore.sandbox.bounds import Bounds
from tracestore.sandbox.outcome import Outcome
from tracestore.sandbox.sandbox import Sandbox

MAX_ANSWER_BYTES: Final = 256 * 1024
"""Bytes of what a host answers: a model reads no more."""

MAX_SAID_CHARACTERS: Final = 500
"""Of an error's answer that the model is told."""

TOOL_TIME_S: Final = 10.0
"""Seconds that a function may run: it may do more than a scorer, and is called once a turn."""


@dataclass(frozen=True, slots=True)
class PythonTool:
    """A function in the sandbox."""

    name: str
    body: PythonToolBody
    sandbox: Sandbox

    @property
    def description(self) -> str:
        """Returns what the model is told of it."""
        return self.body.description

    @property
    def schema(self) -> Mapping[str, Any]:
        """Returns the JSON schema of its arguments."""
        return self.body.parameters

    async def call(self, arguments: Any) -> Any:
        """Returns what it gives; raises CodeError, PlayError, SandboxError."""
        _check(self.name, self.body, arguments)
        outcome = await asyncio.to_thread(self.tried, arguments)
        if outcome.failure is not None:
            raise CodeError(f"cannot run {self.name}: {outcome.failure}", outcome.failure.line)
        return outcome.value

    def tried(self, arguments: Mapping[str, Any], time_s: float = TOOL_TIME_S) -> Outcome:
        """Returns what became of one call; raises SandboxError."""
        return self.sandbox.call(
            self.body.code, self.body.function, arguments, Bounds(time_s=time_s)
        )


@dataclass(frozen=True, slots=True)
class HttpTool:
    """A request to a host that the settings name.

    Attributes:
        http: sends it, behind the fence.
    """

    name: str
    body: HttpToolBody
    http: httpx.AsyncClient

    @property
    def description(self) -> str:
        """Returns what the model is told of it."""
        return self.body.description

    @property
    def schema(self) -> Mapping[str, Any]:
        """Returns the JSON schema of its arguments."""
        return self.body.parameters

    async def call(self, arguments: Any) -> Any:
        """Returns what the host answers, as a value where it is JSON.

        Raises:
            PlayError: where it does not answer, or by an error.
            OutboundRefusedError: where it is not a host of the list.
        """
        _check(self.name, self.body, arguments)
        url, body = self.body.request(arguments)
        headers = {"User-Agent": "tracestore", **self.body.headers}
        try:
            async with (
                asyncio.timeout(self.body.timeout_s),
                self.http.stream(
                    self.body.method, url, json=body, headers=headers, timeout=self.body.timeout_s
                ) as answer,
            ):
                text = await self._text(answer)
        except OutboundRefusedError:
            raise
        except (TimeoutError, httpx.TimeoutException):
            raise PlayError(
                f"cannot call {self.name}: no answer within {self.body.timeout_s:g} s"
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            told = (str(error) or type(error).__name__)[:MAX_SAID_CHARACTERS]
            raise PlayError(f"cannot call {self.name}: {told}") from None
        if answer.is_redirect:
            raise PlayError(
                f"cannot call {self.name}: it redirects (status {answer.status_code}), which is not followed"
            )
        if not answer.is_success:
            raise PlayError(
                f"cannot call {self.name}: status {answer.status_code}: {text[:MAX_SAID_CHARACTERS]}"
            )
        return _value(text)

    async def _text(self, answer: httpx.Response) -> str:
        parts: list[bytes] = []
        size = 0
        # As it was decompressed, so that the bound holds for what comes out.
        async for part in answer.aiter_bytes(16 * 1024):
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise PlayError(
                    f"cannot call {self.name}: it answers with more than {MAX_ANSWER_BYTES} bytes"
                )
            parts.append(part)
        return b"".join(parts).decode(errors="replace")


def _check(name: str, body: PythonToolBody | HttpToolBody, arguments: Any) -> None:
    refusal = body.refusal(arguments)
    if refusal is not None:
        raise PlayError(f"cannot call {name}: its arguments are not right: {refusal}")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
