"""Tools over HTTP: `/api/tools…`. Writers save and try them."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import OutboundRefusedError, PlayError, TraceStoreError
from tracestore.play.api.functions import Shown, TimeS, Trial, saved, shown, trial
from tracestore.play.api.shapes import CHANGES, Gone
from tracestore.play.tools.body import NAME, ToolBody
from tracestore.play.tools.running import HttpTool, PythonTool
from tracestore.play.tools.stored import StoredTools
from tracestore.sandbox.outcome import Failure, Outcome
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, narrowed, problem
from tracestore_query.api.datasets import MAX_VERSION, Project, answered, project_of
from tracestore_query.api.documents import SeenVersion, author_of

Name = Annotated[str, Path(pattern=NAME, description="The tool.")]


class NewTool(BaseModel):
    """A tool to save."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME)
    body: ToolBody


class ChangedTool(BaseModel):
    """A tool's new content, and the version that it changes."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=MAX_VERSION, description="The newest version, which was seen.")
    body: ToolBody


class TestedTool(BaseModel):
    """A tool that may not be saved yet, and what it is called with."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(default="test", pattern=NAME)
    body: ToolBody
    arguments: dict[str, Any] = Field(default_factory=dict)
    time_s: float = TimeS


class ToolTrial(Trial):
    """What a test run gave."""

    value: Any


def tools_router(tools: StoredTools) -> APIRouter:
    """Returns the routes of a store's tools."""
    router = APIRouter(prefix="/api/tools", tags=["play"])

    @router.get("", responses=ERRORS, response_model=list[Shown])
    @needs("read")
    async def list_tools(request: Request, project: Project = None) -> Any:
        """Lists the newest versions of tools."""
        projects = narrowed(request, project)
        return await answered(lambda: [shown(each) for each in tools.list(projects)])

    @router.post("", responses=CHANGES, response_model=Shown)
    @needs("ingest", "read")
    async def create_tool(request: Request, body: NewTool, project: Project = None) -> Any:
        """Saves a new tool; code is refused with its line, a request with its host."""
        return await saved(
            lambda: tools.save(
                body.name, body.body, 0, project_of(request, project), author_of(request)
            )
        )

    @router.post("/test", responses=ERRORS, response_model=ToolTrial)
    @needs("ingest", "read")
    async def test_tool(request: Request, body: TestedTool, project: Project = None) -> Any:
        """Calls a tool that may not be saved yet; what is wrong with it is a part of the answer."""
        try:
            await run_in_threadpool(project_of, request, project)
            tool = tools.made(body.name, body.body)
            if isinstance(tool, PythonTool):
                refusal = body.body.refusal(body.arguments)
                if refusal is not None:
                    failed = Outcome(failure=Failure("input", refusal))
                    return {"value": None, **trial(failed)}
                outcome = await run_in_threadpool(tool.tried, body.arguments, body.time_s)
                return {"value": outcome.value, **trial(outcome)}
            return await _asked(tool, body.arguments)
        except TraceStoreError as error:
            return problem(error)

    @router.get("/{name}", responses=ERRORS, response_model=Shown)
    @needs("read")
    async def get_tool(
        request: Request,
        name: Name,
        project: Project = None,
        version: Annotated[int | None, Query(ge=1, le=MAX_VERSION)] = None,
    ) -> Any:
        """Gives a tool, by default its newest version."""
        return await answered(
            lambda: shown(tools.document(name, project_of(request, project), version))
        )

    @router.put("/{name}", responses=CHANGES, response_model=Shown)
    @needs("ingest", "read")
    async def save_tool(
        request: Request, name: Name, body: ChangedTool, project: Project = None
    ) -> Any:
        """Saves a new version; is refused where the named version is not the newest any more."""
        return await saved(
            lambda: tools.save(
                name, body.body, body.version, project_of(request, project), author_of(request)
            )
        )

    @router.delete("/{name}", responses=CHANGES, response_model=Gone)
    @needs("ingest", "read")
    async def delete_tool(
        request: Request, name: Name, version: SeenVersion, project: Project = None
    ) -> Any:
        """Deletes a tool with every version."""

        def deleted() -> dict[str, str]:
            tools.delete(name, version, project_of(request, project))
            return {"name": name}

        return await answered(deleted)

    return router


async def _asked(tool: HttpTool, arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns what a request gave, as a test run tells it."""
    started = time.perf_counter()
    value: Any = None
    failure: Failure | None = None
    try:
        value = await tool.call(arguments)
    except (PlayError, OutboundRefusedError) as error:
        failure = Failure("error", str(error))
    outcome = Outcome(seconds=time.perf_counter() - started, failure=failure)
    return {"value": value, **trial(outcome)}
