"""What a server may be told: options, environment variables, and a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tracestore import limits
from tracestore.play.providers.settings import NAME as PROVIDER_NAME
from tracestore.play.providers.settings import ProviderSettings
from tracestore.serving.logs import LogFormat, LogLevel


def _split(given: object) -> object:
    """Returns a list of names from the text that an environment variable holds."""
    return [each.strip() for each in given.split(",")] if isinstance(given, str) else given


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Names, in an environment variable parted by commas."""


_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def _seconds(given: object) -> object:
    """Returns the seconds of a text like `30s`, `5m`, `1h` or `7d`."""
    match = (
        re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", given.strip()) if isinstance(given, str) else None
    )
    return float(match.group(1)) * _UNITS[match.group(2)] if match else given


Duration = Annotated[float, BeforeValidator(_seconds)]
"""Seconds, or a text with a unit."""


class ServerSettings(BaseSettings):
    """What `tracestore serve` may be told; environment variables are `TRACESTORE_…`."""

    model_config = SettingsConfigDict(
        env_prefix="TRACESTORE_",
        toml_file="tracestore.toml",
        extra="ignore",
        # A key that is put where its name belongs is repeated by no message.
        hide_input_in_errors=True,
    )

    data: Path = Field(default=Path("tracestore-data"), description="The store's folder.")
    catalog: str | None = Field(
        default=None,
        repr=False,
        description="Database of the catalog, `postgresql+psycopg://…`; default the folder's own.",
    )
    segments: str | None = Field(
        default=None,
        repr=False,
        description="Bucket of the segments, `s3://key:secret@bucket/prefix?…`; default the folder.",
    )
    role: Literal["all", "query"] = Field(
        default="all",
        description="`query` of a node that takes no rows; of several that share catalog and segments.",
    )
    node_url: str | None = Field(
        default=None, description="Where other nodes reach this one; default its host and port."
    )
    cluster_key: str | None = Field(
        default=None,
        repr=False,
        min_length=16,
        description="By which nodes know each other; default one that the catalog keeps.",
    )
    segments_cache_mb: int = Field(
        default=4096,
        ge=16,
        description="Copies of segments of a bucket, in MB: of the server, and as many of its engine.",
    )
    compaction_unit_rows: int = Field(
        default=limits.COMPACTION_UNIT_ROWS,
        ge=1000,
        le=16_000_000,
        description="Rows of the largest segments that merges make.",
    )
    compaction_unit_mb: int = Field(
        default=limits.COMPACTION_UNIT_BYTES // (1024 * 1024),
        ge=1,
        le=1024,
        description="Their size in MB before compression, which a merge holds in memory ([nodes.md](nodes.md)).",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=4318, ge=0, le=65535, description="OTLP over HTTP and the API; 0 picks one."
    )
    grpc_port: int = Field(
        default=4317, ge=-1, le=65535, description="OTLP over gRPC; 0 picks one, -1 is off."
    )
    flight_port: int = Field(
        default=-1, ge=-1, le=65535, description="Arrow Flight SQL; 0 picks one, -1 is off."
    )
    flight_tls_certificate: Path | None = Field(
        default=None, description="Certificate chain of Flight SQL's port, in PEM; needs its key."
    )
    flight_tls_key: Path | None = Field(default=None, description="Its private key, in PEM.")
    durability: Literal["sync", "async"] = "sync"
    require_keys: bool | None = Field(
        default=None, description="Whether requests need an API key; default beyond loopback only."
    )
    body_timeout_s: float = Field(
        default=60.0, gt=0, description="Seconds in which a request's body must come."
    )
    log_level: LogLevel = Field(
        default="info", description="What is logged; at debug, a line for every request."
    )
    log_format: LogFormat = Field(default="text", description="For people, or JSON for programs.")
    self_trace: bool = Field(
        default=False, description="Whether the server stores spans of its own requests."
    )
    allowed_hosts: Names = Field(
        default=(), description="Further names of the server, where nobody is asked for a key."
    )
    cors_origins: Names = Field(
        default=(),
        description="Origins whose pages may send and ask, e.g. https://app.example.com.",
    )
    max_connections: int = Field(
        default=1024, ge=1, description="HTTP connections at once; idle ones go first."
    )
    header_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds in which a request's headers must come."
    )
    query_spill_bytes: int | None = Field(
        default=None,
        ge=0,
        description="What queries may spill to disk; default 16 GiB, and a fourth of what is free.",
    )
    engine_process: bool = Field(
        default=True,
        description="Whether statements run in a process of their own; on Linux only.",
    )
    query_memory_mb: int = Field(
        default=2048, ge=256, description="Memory of all statements together, in MB."
    )
    max_running_queries: int = Field(
        default=8,
        ge=1,
        description="Statements that run at once; one key has three quarters of them.",
    )
    max_waiting_queries: int = Field(
        default=64,
        ge=1,
        description="Statements that wait for their turn; one key has half of the places.",
    )
    estimate_costs: bool = Field(
        default=True,
        description="Whether calls of models that are sent without a cost get an estimate of it.",
    )
    prices: dict[str, dict[str, float]] = Field(
        default={},
        description="Dollars for a million tokens by model, which win over the list of genai-prices.",
    )
    providers: dict[str, ProviderSettings] = Field(
        default={},
        description="Providers of models by name: `kind`, `base_url`, and the name of a `key` ([play.md](play.md)).",
    )
    provider_keys: dict[str, str] = Field(
        default={"OPENAI_API_KEY": "api.openai.com", "ANTHROPIC_API_KEY": "api.anthropic.com"},
        description="Variables with keys that providers made by the API may name, each with its host.",
    )
    play_keep_days: float = Field(
        default=14,
        gt=0,
        le=3650,
        description="Days after which runs of Play that nobody keeps are deleted.",
    )
    outbound_private_hosts: Names = Field(
        default=(),
        description="Hosts, addresses and networks that webhooks and tools may reach though they are not public.",
    )
    gateway_usd_per_day: float | None = Field(
        default=None,
        ge=0,
        description="Dollars that each key may spend through the gateway in a day; the gateway is off without it.",
    )
    gateway_budgets: dict[str, float] = Field(
        default={}, description="Dollars a day of keys by their names, in place of that."
    )
    gateway_cache_s: float = Field(
        default=86_400.0,
        ge=0,
        description="Greatest age in seconds of a kept answer that a request may ask for; 0 keeps none.",
    )
    tool_hosts: Names = Field(
        default=(),
        description="Hosts that tools may ask: names, `*.example.com`, or `name:port`.",
    )
    iceberg_every: Duration | None = Field(
        default=None,
        gt=0,
        description="Time between two publications to Iceberg, e.g. `5m`; none without ([lakehouse.md](lakehouse.md)).",
    )
    iceberg_keep: Duration = Field(
        default=86_400.0,
        ge=0,
        description="Age at which published snapshots are forgotten and their files may go, e.g. `1d`.",
    )
    allow_unauthenticated: bool = Field(
        default=False,
        description="Listen on other addresses than loopback though nobody is asked for a key.",
    )

    @model_validator(mode="after")
    def _check_provider_names(self) -> Self:
        for name in self.providers:
            if not re.fullmatch(PROVIDER_NAME, name):
                raise ValueError(
                    "providers: a name has small letters, digits, and - . _ between them"
                )
        return self

    @property
    def node(self) -> Literal["all", "query"] | None:
        """Returns the role among several nodes, None of a writer of its own."""
        shares = self.segments is not None and (self.catalog or "").startswith("postgresql")
        return self.role if shares else None

    @model_validator(mode="after")
    def _check_node(self) -> Self:
        if self.role == "query" and self.node is None:
            raise ValueError(
                "role: a node that only answers shares a catalog and segments; name both"
            )
        return self

    @model_validator(mode="after")
    def _check_tls(self) -> Self:
        if (self.flight_tls_certificate is None) != (self.flight_tls_key is None):
            raise ValueError("flight_tls_certificate and flight_tls_key belong together")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Returns where settings come from: arguments, then the environment, then `tracestore.toml`."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)
