"""What is said of a provider: where it is, of which kind, and the name of its key. Never the key."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, field_validator

NAME: Final = r"^[a-z0-9][a-z0-9._-]{0,63}$"
"""What a provider's name is: a part of an address."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")

Model = Annotated[str, Field(min_length=1, max_length=200)]


class ProviderSettings(BaseModel):
    """A provider as it is set up."""

    # What was given may be a key, put where its name belongs: no message repeats it.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: Literal["openai", "anthropic"] = Field(
        description="`openai` for any endpoint with chat/completions, `anthropic` for its messages."
    )
    base_url: str = Field(
        max_length=2000, description="Where it is, e.g. https://api.openai.com/v1."
    )
    key: str | None = Field(
        default=None,
        max_length=1000,
        description="The name of an environment variable or the path of a file; null for no key.",
    )
    models: tuple[Model, ...] = Field(
        default=(), max_length=500, description="Models to offer where the endpoint lists none."
    )
    concurrency: int = Field(default=16, ge=1, le=256, description="Calls at once.")
    requests_per_minute: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Calls within a minute; null for no bound."
    )
    timeout_s: float = Field(
        default=120,
        gt=0,
        le=3600,
        allow_inf_nan=False,
        description="Seconds that one call may take.",
    )
    projects: tuple[Model, ...] | None = Field(
        default=None, max_length=1000, description="Projects that may use it; null for all."
    )

    @field_validator("base_url")
    @classmethod
    def _check_url(cls, given: str) -> str:
        try:
            parts = urlsplit(given)
            port = parts.port
            httpx.URL(
                given
            )  # what sends requests reads some that the line above takes in another way
        except (ValueError, httpx.InvalidURL):
            raise ValueError("base_url is no URL; want http(s)://HOST[:PORT][/PATH]") from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
            raise ValueError("base_url is no URL; want http(s)://HOST[:PORT][/PATH]")
        if "@" in parts.netloc or parts.query or parts.fragment or not given.isprintable():
            raise ValueError(
                "base_url has a user, a query or a fragment; a key belongs into a variable or a file"
            )
        return given.rstrip("/")

    @field_validator("key")
    @classmethod
    def _check_key(cls, given: str | None) -> str | None:
        if given is None or is_file(given) or _VARIABLE.fullmatch(given):
            return given
        raise ValueError(
            "key is neither a variable's name nor a file's path; put the key into a variable or a file and name that"
        )

    def may_be_used_by(self, project: str) -> bool:
        """Returns whether a project's prompts may use it."""
        return self.projects is None or project in self.projects

    @property
    def host(self) -> str:
        """Returns the host that it names, in small letters."""
        return urlsplit(self.base_url).hostname or ""

    def shown(self) -> dict[str, Any]:
        """Returns what is said of it, as JSON has it."""
        return self.model_dump(mode="json")


def is_file(key: str) -> bool:
    """Returns whether the name of a key is the path of a file."""
    return "/" in key
