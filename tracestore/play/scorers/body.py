"""What a stored scorer says: the code of a function, or how a model judges."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tracestore import templates
from tracestore.errors import PlayError
from tracestore.sandbox.bounds import MAX_CODE_BYTES

NAME: Final = r"^[A-Za-z_][A-Za-z0-9_.-]{0,99}$"
"""What a scorer's name is: a key of `scores`, and a part of an address."""

MAX_PROMPT_CHARACTERS: Final = 64 * 1024


class PythonScorerBody(BaseModel):
    """A function that runs in the sandbox."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["python"]
    code: str = Field(max_length=MAX_CODE_BYTES, description="A module with the function.")
    function: str = Field(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$",
        description="Its name; it declares some of input, output, expected and metadata.",
    )
    description: str = Field(default="", max_length=10_000)


class JudgeBody(BaseModel):
    """A model that chooses one of some choices."""

    model_config = ConfigDict(extra="forbid")

    type: Literal["judge"]
    prompt: str = Field(
        min_length=1,
        max_length=MAX_PROMPT_CHARACTERS,
        description="A template over input, output, expected and metadata.",
    )
    choices: dict[
        Annotated[str, Field(min_length=1, max_length=100)],
        Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)],
    ] = Field(min_length=2, max_length=50, description="The score of each choice.")
    provider: str = Field(max_length=64)
    model: str = Field(max_length=200)
    parameters: dict[str, Any] = Field(default_factory=lambda: {"temperature": 0})
    description: str = Field(default="", max_length=10_000)


ScorerBody = Annotated[PythonScorerBody | JudgeBody, Field(discriminator="type")]

_READ: Final[TypeAdapter[PythonScorerBody | JudgeBody]] = TypeAdapter(ScorerBody)


def body_of(document: Mapping[str, Any] | None) -> PythonScorerBody | JudgeBody:
    """Returns the scorer that a document's body is; raises PlayError."""
    try:
        return _READ.validate_python(document or {})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PlayError(f"cannot read scorer: {where}: {first['msg']}") from None


def check_judge(body: JudgeBody) -> None:
    """Checks what a judge says beyond its form; raises TemplateError, PlayError."""
    templates.check(body.prompt)
    labels = [label.strip().lower() for label in body.choices]
    if len(set(labels)) != len(labels):
        raise PlayError("cannot save judge: two of its choices differ in case or spaces alone")
