"""API keys: who may send, read or administer, and for which projects. Only hashes are kept.

A key's text is `ts_<id>_<secret>`. The secret has 192 random bits, so one SHA-256 of it is enough: there is
nothing to guess. The table is made at its first use; a catalog without it has no keys.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from tracestore.errors import CatalogError, UnknownKeyError
from tracestore.scopes import SCOPES
from tracestore.store.catalog import database
from tracestore.store.clock import Clock
from tracestore.store.files import filenames

REFRESH_SECONDS: Final = 2.0
"""How long a server may go on honouring a key that another process revoked; longer where the catalog is away."""

UNKNOWN_SECONDS: Final = 0.2
"""How old what is known may be where it lacks a key: another process may have made it a moment ago. Strangers, who send
keys that were never made, have it read no more often."""

_PREFIX: Final = "ts"
_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 24

_KEYS: Final = sa.Table(
    "tracestore_keys",
    sa.MetaData(),
    sa.Column("key_id", sa.String(16), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("projects", sa.Text),
    sa.Column("created_ns", sa.BigInteger, nullable=False),
    sa.Column("revoked_ns", sa.BigInteger),
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key, without its secret.

    Attributes:
        key_id: names the key in lists and logs.
        name: what its maker called it.
        scopes: of `ingest`, `read` and `admin`; admin includes the others.
        projects: the projects it is bound to, None for all.
        created_ns, revoked_ns: nanoseconds since 1970; revoked_ns is None for a live key.
    """

    key_id: str
    name: str
    scopes: frozenset[str]
    projects: frozenset[str] | None
    created_ns: int
    revoked_ns: int | None

    def allows(self, scope: str) -> bool:
        """Returns whether the key may do what a scope names."""
        return scope in self.scopes or "admin" in self.scopes


class KeyRing:
    """The keys of one catalog. Thread-safe; any number of processes may use it at once.

    Args:
        folder: the store's folder.
        catalog_url: the catalog's database where it is not the folder's SQLite file.
        clock: tells the time.
    """

    def __init__(
        self, folder: Path, catalog_url: str | None = None, clock: Clock | None = None
    ) -> None:
        self._clock = clock or Clock()
        self._engine = database.make_engine(
            catalog_url or folder / filenames.CATALOG,
            writable=True,
            shared=catalog_url is not None,
        )
        self._lock = threading.Lock()
        self._known: dict[str, tuple[str, ApiKey]] = {}
        self._read_s: float | None = None
        self._was_read = False
        self._answers = True
        with self._begin() as connection:
            _KEYS.create(connection, checkfirst=True)

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    def create(
        self, name: str, scopes: Iterable[str], projects: Iterable[str] | None = None
    ) -> tuple[ApiKey, str]:
        """Makes a key and returns it with its text, which is never shown again.

        Raises:
            ValueError: where a scope is unknown, or there is none.
        """
        distinct_scopes = frozenset(scopes)
        if not distinct_scopes or distinct_scopes - set(SCOPES):
            raise ValueError(
                f"cannot create key: want scopes out of {', '.join(SCOPES)}; got {sorted(distinct_scopes)}"
            )
        bound = None if projects is None else frozenset(projects)
        key = ApiKey(
            secrets.token_hex(_ID_BYTES), name, distinct_scopes, bound, self._clock.now_ns(), None
        )
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        row = {
            "key_id": key.key_id,
            "name": name,
            "hash": _hash(secret),
            "scopes": ",".join(sorted(distinct_scopes)),
            "projects": None if bound is None else json.dumps(sorted(bound)),
            "created_ns": key.created_ns,
        }
        with self._begin() as connection:
            connection.execute(_KEYS.insert(), [row])
        self._forget()
        return key, f"{_PREFIX}_{key.key_id}_{secret}"

    def list(self) -> list[ApiKey]:
        """Returns every key, revoked ones too, oldest first."""
        with self._begin() as connection:
            rows = (
                connection.execute(sa.select(_KEYS).order_by(_KEYS.c.created_ns)).mappings().all()
            )
        return [_key_of(row) for row in rows]

    def revoke(self, key_id: str) -> None:
        """Ends a key; other processes stop honouring it within REFRESH_SECONDS.

        Raises:
            UnknownKeyError: where no live key has the id.
        """
        where = (_KEYS.c.key_id == key_id) & _KEYS.c.revoked_ns.is_(None)
        with self._begin() as connection:
            ended = connection.execute(
                _KEYS.update().where(where).values(revoked_ns=self._clock.now_ns())
            )
        if ended.rowcount == 0:
            raise UnknownKeyError(
                f"cannot revoke key {key_id!r}: no live key has this id; see `tracestore keys list`"
            )
        self._forget()

    def check(self, text: str) -> ApiKey | None:
        """Returns the live key whose text this is, None where there is none.

        Keys that are known count on while the catalog does not answer; of others it raises CatalogError then.
        """
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != _PREFIX or not secret:
            return None
        entry = self._live().get(key_id) or self._live(UNKNOWN_SECONDS).get(key_id)
        if entry is None and not self._answers:
            # Strangers read this: not a word of where the database is.
            raise CatalogError(
                "cannot look up the API key: the catalog does not answer; send it again"
            )
        if entry is None or not hmac.compare_digest(entry[0], _hash(secret)):
            return None
        return entry[1]

    @property
    def empty(self) -> bool:
        """Returns whether there is no live key at all."""
        return not self._live()

    def _live(self, age_s: float = REFRESH_SECONDS) -> dict[str, tuple[str, ApiKey]]:
        """Returns the live keys by id, as they were less than some seconds ago, or when the catalog answered last."""
        with self._lock:
            now_s = self._clock.elapsed_s()
            if self._read_s is None or now_s - self._read_s >= age_s:
                try:
                    self._known = self._read()
                    self._was_read = self._answers = True
                except CatalogError:
                    if not self._was_read:
                        raise
                    self._answers = False
                self._read_s = now_s
            return self._known

    def _read(self) -> dict[str, tuple[str, ApiKey]]:
        with self._begin() as connection:
            query = sa.select(_KEYS).where(_KEYS.c.revoked_ns.is_(None))
            rows = connection.execute(query).mappings().all()
        return {row["key_id"]: (row["hash"], _key_of(row)) for row in rows}

    def _forget(self) -> None:
        with self._lock:
            self._read_s = None

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            cause = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise CatalogError(f"cannot use the catalog's keys: {cause}") from error


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key_of(row: sa.RowMapping) -> ApiKey:
    projects = row["projects"]
    return ApiKey(
        key_id=row["key_id"],
        name=row["name"],
        scopes=frozenset(row["scopes"].split(",")),
        projects=None if projects is None else frozenset(json.loads(projects)),
        created_ns=row["created_ns"],
        revoked_ns=row["revoked_ns"],
    )
