"""What a stored tool says: a function's code or an HTTP request, and the schema of its arguments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from tracestore.errors import PlayError
from tracestore.play.prompts.body import TOOL_NAME
from tracestore.sandbox.bounds import MAX_CODE_BYTES

NAME: Final = TOOL_NAME

_PLACE: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_OWN_HEADERS: Final = frozenset(
    {
        "host", "content-length", "content-type", "transfer-encoding", "connection", "upgrade", "te", "trailer",
        "keep-alive", "proxy-authorization", "authorization", "cookie", "x-api-key",
    }
)  # fmt: skip
"""Headers that a document may not set: those of the connection, and those of keys, which stand in no document."""


class _Tool(BaseModel):
    """What every tool says."""

    model_config = ConfigDict(extra="forbid")

    description: str = Field(
        default="", max_length=10_000, description="What the model is told of it."
    )
    parameters: dict[str, Any] = Field(
        default_factory=lambda: {"type": "object"}, description="The JSON schema of its arguments."
    )

    @field_validator("parameters")
    @classmethod
    def _check_schema(cls, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("type", "object") != "object":
            raise ValueError('want the schema of an object: {"type": "object", "properties": …}')
        return given

    def refusal(self, arguments: Any) -> str | None:
        """Returns why some arguments are none, as far as that shows at the top; the tool itself sees to the rest.

        A schema's patterns are anybody's: they are not matched here.
        """
        if not isinstance(arguments, Mapping):
            return f"want an object; got {type(arguments).__name__}"
        required = self.parameters.get("required")
        names = required if isinstance(required, list) else []
        missing = [name for name in names if name not in arguments]
        return f"there is no {missing[0]!r}" if missing else None


class PythonToolBody(_Tool):
    """A function that runs in the sandbox."""

    type: Literal["python"]
    code: str = Field(max_length=MAX_CODE_BYTES, description="A module with the function.")
    function: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$", description="Its name.")


class HttpToolBody(_Tool):
    """A request to a host of the setting `tool_hosts`."""

    type: Literal["http"]
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: str = Field(
        max_length=2000,
        description="Arguments stand in its path as {name}; others go into the query, or the body as JSON.",
    )
    headers: dict[str, str] = Field(default_factory=dict, max_length=50)
    timeout_s: float = Field(default=10, gt=0, le=60, allow_inf_nan=False)

    @field_validator("url")
    @classmethod
    def _check_url(cls, given: str) -> str:
        scheme, _, rest = given.partition("://")
        if scheme not in {"http", "https"} or not rest or "#" in given:
            raise ValueError("want http(s)://HOST/PATH without a fragment")
        if re.search(r"[{}]", rest.partition("/")[0].partition("?")[0]):
            raise ValueError("an argument stands in the path alone, not in the host")
        return given

    @field_validator("headers")
    @classmethod
    def _check_headers(cls, given: dict[str, str]) -> dict[str, str]:
        for name, value in given.items():
            if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", name) or name.lower() in _OWN_HEADERS:
                raise ValueError(f"a tool may not set the header {name!r:.100}")
            if not value.isascii() or not value.isprintable() or len(value) > 2000:
                raise ValueError(f"the header {name} is no line of ASCII")
        return given

    def request(self, arguments: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
        """Returns the URL for some arguments, and what is its body."""
        used: set[str] = set()

        def filled(match: re.Match[str]) -> str:
            used.add(match[1])
            return quote(_text(arguments.get(match[1], "")), safe="")

        url = _PLACE.sub(filled, self.url)
        rest = {name: value for name, value in arguments.items() if name not in used}
        if self.method not in {"GET", "DELETE"}:
            return url, rest
        if rest:
            texts = {name: _text(value) for name, value in rest.items()}
            url += ("&" if "?" in url else "?") + urlencode(texts)
        return url, None


ToolBody = Annotated[PythonToolBody | HttpToolBody, Field(discriminator="type")]

_READ: Final[TypeAdapter[PythonToolBody | HttpToolBody]] = TypeAdapter(ToolBody)


def body_of(document: Mapping[str, Any] | None) -> PythonToolBody | HttpToolBody:
    """Returns the tool that a document's body is; raises PlayError."""
    try:
        return _READ.validate_python(document or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlayError(f"cannot read tool: {where}: {first['msg']}") from None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
