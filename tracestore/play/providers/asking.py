"""Asks a provider: one call as a stream of parts, tried again while that may help and nothing of it was passed on."""

from __future__ import annotations

import asyncio
import email.utils
import json
import random
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx

from tracestore.errors import ProviderError, TraceStoreError
from tracestore.play.providers.adapter import Adapter, Reading, SaidError, said
from tracestore.play.providers.calls import (
    Delta,
    ModelCall,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
)
from tracestore.play.providers.event_stream import StreamTooLongError, events_of
from tracestore.play.providers.keys import Scrubber, key_of
from tracestore.play.providers.pace import Pace
from tracestore.play.providers.settings import ProviderSettings

TRIES: Final = 5
"""Times that one call is sent at most."""

FIRST_WAIT_S: Final = 0.5
MAX_WAIT_S: Final = 20.0
"""Waits between tries double from the first to the last, and are drawn between half of it and all."""

MAX_RETRY_AFTER_S: Final = 60.0
"""The longest wait that a provider may ask for; one that asks for more has refused the call."""

CONNECT_TIMEOUT_S: Final = 10.0

MAX_WHOLE_BYTES: Final = 16 * 1024 * 1024
"""Bytes of an answer that is no stream: an error, a list of models, an answer of an endpoint that does not stream."""

MAX_SAID_CHARACTERS: Final = 1000
"""Of what a provider says is wrong that is passed on."""

MAX_MODELS: Final = 2000

_PASSING: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same call may work."""

_REMEDIES: Final = {
    400: "look at the model's name and the parameters",
    401: "look at the key that the provider's settings name",
    403: "look at what the key may do",
    404: "look at the model's name and at base_url",
    413: "send less",
    429: "ask less often, or set requests_per_minute",
}


@dataclass(frozen=True, slots=True)
class Answered:
    """The end of an answer: which model gave it, and how often it was asked."""

    model: str
    tries: int


class ModelClient:
    """The way to one provider.

    Args:
        name: the provider's.
        settings: where it is.
        adapter: of its kind.
        http: sends requests; whoever made it closes it.
        pace: the turns of its calls.
    """

    def __init__(
        self,
        name: str,
        settings: ProviderSettings,
        adapter: Adapter,
        http: httpx.AsyncClient,
        pace: Pace,
    ) -> None:
        self.name = name
        self.settings = settings
        self._adapter = adapter
        self._http = http
        self._pace = pace

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta | Answered]:
        """Yields the parts of an answer as they come, and `Answered` at its end.

        Raises:
            ProviderError: where it is refused, does not come in time, or ends in the middle.
        """
        if not call.model:
            raise ProviderError(
                f"cannot ask provider {self.name}: no model is named; choose one", self.name
            )
        key = key_of(self.name, self.settings)
        async with self._pace:
            try:
                async with asyncio.timeout(self.settings.timeout_s):
                    async for part in self._tried(call, key):
                        yield part
            except TimeoutError:
                raise self._error(
                    f"no whole answer came within {self.settings.timeout_s:g} s; raise timeout_s of the provider"
                ) from None

    async def models(self) -> list[str]:
        """Returns the models that the endpoint lists; raises ProviderError where it lists none."""
        key = key_of(self.name, self.settings)
        request = self._http.build_request(
            "GET",
            self.settings.base_url + self._adapter.models_path,
            headers=self._adapter.headers(key),
            timeout=self._timeout(),
        )
        scrubber = Scrubber(key)
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                answer = await self._sent(request)
                try:
                    document = await self._document(answer, scrubber)
                finally:
                    await answer.aclose()
        except TimeoutError:
            raise self._error("it did not list its models in time") from None
        listed = document.get("data") if isinstance(document, Mapping) else None
        if not isinstance(listed, list):
            raise self._error("it lists no models; name them in the provider's settings")
        names = [each.get("id") for each in listed if isinstance(each, Mapping)]
        return sorted(scrubber.whole(name) for name in names[:MAX_MODELS] if isinstance(name, str))

    async def _tried(self, call: ModelCall, key: str) -> AsyncGenerator[Delta | Answered]:
        for attempt in range(1, TRIES + 1):
            passed_on = False
            try:
                async for part in self._once(call, key, attempt):
                    passed_on = True
                    yield part
            except ProviderError as error:
                wait_s = _wait_s(attempt, error.retry_after_s)
                if error.retry_after_s is not None and wait_s <= MAX_RETRY_AFTER_S:
                    # Whoever is asked to wait by one call is asked by all.
                    self._pace.pause(wait_s)
                last = attempt == TRIES or wait_s > MAX_RETRY_AFTER_S
                if passed_on or last or not error.is_passing:
                    raise
            else:
                return
            await asyncio.sleep(wait_s)
            await self._pace.again()

    async def _once(
        self, call: ModelCall, key: str, attempt: int
    ) -> AsyncGenerator[Delta | Answered]:
        outgoing = self._adapter.outgoing(call, self.settings.host)
        try:
            content = json.dumps(outgoing.body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        except (TypeError, ValueError, RecursionError) as error:
            raise self._error(f"the call cannot be written as JSON: {error}") from None
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream, application/json",
            **self._adapter.headers(key),
        }
        url = self.settings.base_url + outgoing.path
        request = self._http.build_request(
            "POST", url, content=content, headers=headers, timeout=self._timeout()
        )
        scrubber = Scrubber(key)
        reading = Reading()
        answer = await self._sent(request)
        try:
            if answer.is_error or not _is_stream(answer):
                document = await self._document(answer, scrubber)
                whole = document if isinstance(document, Mapping) else {}
                parts = list(self._read(self._adapter.whole(whole, reading), scrubber))
                for part in parts:
                    yield part
            else:
                async for part in self._streamed(answer, reading, scrubber):
                    yield part
            for part in _rest(scrubber):
                yield part
        finally:
            await answer.aclose()
        if not reading.is_whole:
            raise self._error("its answer ends in the middle; run it again", is_passing=True)
        yield Answered(scrubber.whole(reading.model), attempt)

    async def _streamed(
        self, answer: httpx.Response, reading: Reading, scrubber: Scrubber
    ) -> AsyncGenerator[Delta]:
        try:
            async for event in events_of(answer.aiter_bytes()):
                read = self._adapter.deltas(event.name, event.data, reading)
                for part in self._read(read, scrubber):
                    yield part
        except httpx.HTTPError as error:
            if not reading.is_whole:
                why = scrubber.whole(str(error) or type(error).__name__)
                raise self._error(
                    f"its answer ends in the middle: {why}; run it again", is_passing=True
                ) from None
        except StreamTooLongError as error:
            raise self._error(str(error)) from None

    def _read(self, parts: Iterator[Delta], scrubber: Scrubber) -> Iterator[Delta]:
        try:
            for part in parts:
                shown = _scrubbed(part, scrubber)
                if shown is not None:
                    yield shown
        except SaidError as error:
            text = scrubber.whole(str(error))[:MAX_SAID_CHARACTERS]
            raise self._error(text or "it does not say why", is_passing=error.is_passing) from None
        except (AttributeError, TypeError, KeyError):
            # An object stands where the kind has a list, or the like.
            raise self._error("its answer has not the form of its kind; look at kind") from None

    async def _sent(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._http.send(request, stream=True)
        except httpx.TimeoutException:
            raise self._error("it does not answer; look at base_url", is_passing=True) from None
        except TraceStoreError as error:  # an address that is not asked
            raise self._error(str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The text may name headers, where one of them cannot be sent.
            why = (
                type(error).__name__ if isinstance(error, httpx.LocalProtocolError) else str(error)
            )
            raise self._error(
                f"it cannot be reached: {why or type(error).__name__}; look at base_url",
                is_passing=True,
            ) from None

    async def _document(self, answer: httpx.Response, scrubber: Scrubber) -> Any:
        """Returns the JSON of an answer that is no stream; raises ProviderError where it tells of an error."""
        parts: list[bytes] = []
        size = 0
        try:
            async for part in answer.aiter_bytes():
                parts.append(part)
                size += len(part)
                if size > MAX_WHOLE_BYTES:
                    raise self._error("its answer is too long")
        except httpx.HTTPError:
            raise self._error("its answer ends in the middle", is_passing=True) from None
        text = b"".join(parts).decode("utf-8", "replace")
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not answer.is_success:
            words = said(document) if document is not None else text
            raise self._refused(answer, " ".join(scrubber.whole(words).split()))
        if document is None:
            raise self._error("its answer is no JSON; look at base_url and kind")
        return scrubber.value(document)

    def _refused(self, answer: httpx.Response, words: str) -> ProviderError:
        status = answer.status_code
        remedy = _REMEDIES.get(status, "")
        text = f"it answered {status}: {words[:MAX_SAID_CHARACTERS] or answer.reason_phrase}"
        if 300 <= status < 400:
            remedy = "name the address that it moved to as base_url"
        return self._error(
            f"{text}; {remedy}" if remedy else text,
            status,
            is_passing=status in _PASSING,
            retry_after_s=_retry_after_s(answer.headers),
        )

    def _error(
        self,
        why: str,
        status: int | None = None,
        *,
        is_passing: bool = False,
        retry_after_s: float | None = None,
    ) -> ProviderError:
        return ProviderError(
            f"cannot ask provider {self.name}: {why}",
            self.name,
            status,
            is_passing=is_passing,
            retry_after_s=retry_after_s,
        )

    def _timeout(self) -> httpx.Timeout:
        return httpx.Timeout(self.settings.timeout_s, connect=CONNECT_TIMEOUT_S)


def _is_stream(answer: httpx.Response) -> bool:
    kind: str = answer.headers.get("content-type", "")
    return kind.partition(";")[0].strip().lower() == "text/event-stream"


def _scrubbed(part: Delta, scrubber: Scrubber) -> Delta | None:
    """Returns a part without the key, None where nothing of it may be shown yet."""
    match part:
        case TextDelta() | ReasoningDelta():
            text = scrubber.part(type(part), part.text)
            return replace(part, text=text) if text else None
        case ToolCallDelta():
            arguments = scrubber.part(part.index, part.arguments)
            name, call_id = scrubber.whole(part.name), scrubber.whole(part.call_id)
            return ToolCallDelta(part.index, call_id, name, arguments)
        case _:
            return part


def _rest(scrubber: Scrubber) -> Iterator[Delta]:
    for stream, text in scrubber.rest().items():
        if isinstance(stream, int):
            yield ToolCallDelta(stream, arguments=text)
        else:
            made: Delta = stream(text)
            yield made


def _wait_s(attempt: int, retry_after_s: float | None) -> float:
    if retry_after_s is not None:
        return retry_after_s
    most: float = min(MAX_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1))
    return most * (0.5 + random.random() / 2)  # noqa: S311 - spreads tries, hides nothing


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Returns the seconds that a provider asks to wait: given as milliseconds, seconds or a time."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) * unit_s
        except ValueError:
            continue
        return max(0.0, seconds) if seconds == seconds else None  # noqa: PLR0124 - what is no number
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except (TypeError, ValueError):
        return None
    return max(0.0, moment.timestamp() - time.time())
