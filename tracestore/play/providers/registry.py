"""The providers that there are: those of the settings, and those that were made by the API. Finds one by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import httpx
from pydantic import ValidationError

from tracestore.errors import PlayError, UnknownDocumentError, UnknownProviderError
from tracestore.play.named_documents import NamedDocuments
from tracestore.play.providers.adapter import Adapter
from tracestore.play.providers.anthropic_messages import AnthropicMessages
from tracestore.play.providers.asking import ModelClient
from tracestore.play.providers.openai_chat import OpenAiChat
from tracestore.play.providers.pace import Pace
from tracestore.play.providers.settings import ProviderSettings, is_file
from tracestore.store import Document, Documents

KIND: Final = "provider"

PROJECT: Final = "default"
"""Whose documents providers are: they belong to the server."""

ADAPTERS: Final[Mapping[str, Adapter]] = {"openai": OpenAiChat(), "anthropic": AnthropicMessages()}


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider by its name.

    Attributes:
        origin: what says it; what the settings say wins.
        version: of its document, None for one of the settings.
    """

    name: str
    settings: ProviderSettings
    origin: Literal["settings", "api"]
    version: int | None = None


class Providers:
    """The providers of a server, on one event loop; what reads the catalog runs in a thread.

    Args:
        documents: have those that were made by the API.
        given: those of the settings.
        key_hosts: the variables that the API may name, each with the host that its key is for.
        http: sends requests to those of the settings.
        fenced_http: sends requests to those of the API: to no address of this machine's own network.
    """

    def __init__(
        self,
        documents: Documents,
        given: Mapping[str, ProviderSettings],
        key_hosts: Mapping[str, str],
        http: httpx.AsyncClient,
        fenced_http: httpx.AsyncClient,
    ) -> None:
        self._documents = NamedDocuments(documents, KIND)
        self._given = {name: Provider(name, each, "settings") for name, each in given.items()}
        self._key_hosts = key_hosts
        self._http = http
        self._fenced_http = fenced_http
        self._paces: dict[str, tuple[tuple[int, int | None], Pace]] = {}

    def list(self, projects: Collection[str] | None = None) -> list[Provider]:
        """Returns the providers that some of the projects may use (None for all), in order of their names."""
        stored = self._documents.list([PROJECT])
        found = {each.name: each for document in stored for each in self._of(document)}
        found |= self._given
        return [
            found[name]
            for name in sorted(found)
            if projects is None or any(map(found[name].settings.may_be_used_by, projects))
        ]

    def get(self, name: str, project: str | None) -> Provider:
        """Returns a provider that a project may use, None for any; raises UnknownProviderError."""
        provider = self._given.get(name) or self._stored(name)
        if provider is not None and (project is None or provider.settings.may_be_used_by(project)):
            return provider
        if not name:
            raise UnknownProviderError("cannot ask a model: no provider is named; choose one")
        raise UnknownProviderError(
            f"cannot find provider {name!r}: there is none of that name for this project; "
            "add it to `providers` in tracestore.toml, or on the page SETTINGS"
        )

    def client(self, provider: Provider) -> ModelClient:
        """Returns the way to a provider."""
        settings = provider.settings
        bounds = (settings.concurrency, settings.requests_per_minute)
        known = self._paces.get(provider.name)
        if known is None or known[0] != bounds:
            known = self._paces[provider.name] = (bounds, Pace(*bounds))
        http = self.http(provider)
        return ModelClient(provider.name, settings, ADAPTERS[settings.kind], http, known[1])

    def http(self, provider: Provider) -> httpx.AsyncClient:
        """Returns what sends requests to a provider: one of the API is behind the fence."""
        return self._http if provider.origin == "settings" else self._fenced_http

    def save(
        self, name: str, settings: ProviderSettings, version: int, author: str | None
    ) -> Provider:
        """Saves a provider; version 0 makes a new one.

        Raises:
            PlayError: for a key that the API may not name, and for a name of the settings.
            DocumentConflictError: where `version` is not the newest.
        """
        self._check_changeable(name)
        self._check_key(settings)
        saved = self._documents.save(name, settings.shown(), version, PROJECT, author)
        return Provider(name, settings, "api", saved.version)

    def delete(self, name: str, version: int) -> None:
        """Removes a provider that the API made; raises as `save` does."""
        self._check_changeable(name)
        self._documents.delete(name, version, PROJECT)

    def _check_changeable(self, name: str) -> None:
        if name in self._given:
            raise PlayError(
                f"cannot change provider {name}: the server's settings say it; change it there"
            )

    def _check_key(self, settings: ProviderSettings) -> None:
        key = settings.key
        if key is None:
            return
        if is_file(key):
            raise PlayError(
                "cannot save provider: the API may name no file; name it in `providers` of tracestore.toml"
            )
        host = self._key_hosts.get(key)
        if host is None:
            raise PlayError(
                f"cannot save provider: the API may not name variable {key}; "
                f"add it with its host to the setting provider_keys"
            )
        if host.lower() != settings.host or not settings.base_url.startswith("https://"):
            raise PlayError(
                f"cannot save provider: the key in {key} is for https://{host}; "
                "change base_url, or the setting provider_keys"
            )

    def _stored(self, name: str) -> Provider | None:
        try:
            document = self._documents.get(name, PROJECT)
        except UnknownDocumentError:
            return None
        return next(self._of(document), None)

    def _of(self, document: Document) -> Iterator[Provider]:
        """Yields the provider that a document is, nothing where it is none any more."""
        try:
            settings = ProviderSettings.model_validate(document.body)
            # The setting may have changed since.
            self._check_key(settings)
        except (ValidationError, PlayError):
            return
        yield Provider(document.name, settings, "api", document.version)
