"""Scorers over HTTP: `/api/scorers…`. Writers save and run them; code runs in the sandbox, judges cost."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import CodeError, PlayError, ProviderError, TraceStoreError
from tracestore.play.api.functions import (
    Shown,
    TimeS,
    Trial,
    Version,
    refused,
    saved,
    shown,
    trial,
)
from tracestore.play.api.shapes import ASKS, CHANGES, Gone
from tracestore.play.scorers.body import NAME, JudgeBody, PythonScorerBody, ScorerBody
from tracestore.play.scorers.results import scores_of
from tracestore.play.scorers.stored import StoredScorers
from tracestore.play.scoring import Score
from tracestore.sandbox.outcome import Outcome
from tracestore.scopes import needs
from tracestore.scorers import ARGUMENTS
from tracestore_query.api.answers import ERRORS, narrowed, problem
from tracestore_query.api.datasets import MAX_VERSION, Project, answered, project_of
from tracestore_query.api.documents import SeenVersion, author_of

Name = Annotated[str, Path(pattern=NAME, description="The scorer.")]


class NewScorer(BaseModel):
    """A scorer to save."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=NAME)
    body: ScorerBody


class ChangedScorer(BaseModel):
    """A scorer's new content, and the version that it changes."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=MAX_VERSION, description="The newest version, which was seen.")
    body: ScorerBody


class Case(BaseModel):
    """What is scored."""

    model_config = ConfigDict(extra="forbid")

    input: Any = None
    output: Any = None
    expected: Any = None
    metadata: Any = None


class TestedScorer(Case):
    """A scorer that may not be saved yet, and what it is tried on."""

    name: str = Field(default="test", pattern=NAME)
    body: ScorerBody
    time_s: float = TimeS


class GivenScore(BaseModel):
    """One score."""

    name: str
    score: float | None
    rationale: str | None
    metadata: dict[str, Any]


class Scored(BaseModel):
    """The scores of one case."""

    name: str
    version: int | None
    scores: list[GivenScore]


class ScorerTrial(Trial):
    """What a test run gave."""

    scores: list[GivenScore]


class ListedScorer(BaseModel):
    """A scorer that there is; a built-in one has no document."""

    name: str
    project: str | None
    type: Literal["built-in", "python", "judge"]
    version: int | None
    updated_ns: int | None
    author: str | None
    body: dict[str, Any] | None


def scorers_router(scorers: StoredScorers) -> APIRouter:
    """Returns the routes of a store's scorers."""
    router = APIRouter(prefix="/api/scorers", tags=["play"])
    _add_documents(router, scorers)
    _add_runs(router, scorers)
    return router


def _add_documents(router: APIRouter, scorers: StoredScorers) -> None:
    """Adds the routes that list, give and change scorers."""

    @router.get("", responses=ERRORS, response_model=list[ListedScorer])
    @needs("read")
    async def list_scorers(request: Request, project: Project = None) -> Any:
        """Lists the newest versions of scorers, built-in ones first."""
        projects = narrowed(request, project)
        return await answered(lambda: _listed(scorers, projects))

    @router.post("", responses=CHANGES, response_model=Shown)
    @needs("ingest", "read")
    async def create_scorer(request: Request, body: NewScorer, project: Project = None) -> Any:
        """Saves a new scorer; code is refused with the line that the sandbox does not take."""
        return await saved(
            lambda: scorers.save(
                body.name, body.body, 0, project_of(request, project), author_of(request)
            )
        )

    @router.get("/{name}", responses=ERRORS, response_model=Shown)
    @needs("read")
    async def get_scorer(
        request: Request,
        name: Name,
        project: Project = None,
        version: Annotated[int | None, Query(ge=1, le=MAX_VERSION)] = None,
    ) -> Any:
        """Gives a stored scorer, by default its newest version."""
        return await answered(
            lambda: shown(scorers.document(name, project_of(request, project), version))
        )

    @router.put("/{name}", responses=CHANGES, response_model=Shown)
    @needs("ingest", "read")
    async def save_scorer(
        request: Request, name: Name, body: ChangedScorer, project: Project = None
    ) -> Any:
        """Saves a new version; is refused where the named version is not the newest any more."""
        return await saved(
            lambda: scorers.save(
                name, body.body, body.version, project_of(request, project), author_of(request)
            )
        )

    @router.delete("/{name}", responses=CHANGES, response_model=Gone)
    @needs("ingest", "read")
    async def delete_scorer(
        request: Request, name: Name, version: SeenVersion, project: Project = None
    ) -> Any:
        """Deletes a scorer with every version."""

        def deleted() -> dict[str, str]:
            scorers.delete(name, version, project_of(request, project))
            return {"name": name}

        return await answered(deleted)

    @router.get("/{name}/versions", responses=ERRORS, response_model=list[Version])
    @needs("read")
    async def list_scorer_versions(request: Request, name: Name, project: Project = None) -> Any:
        """Lists the versions that are kept of a scorer, newest first."""
        return await answered(lambda: scorers.versions(name, project_of(request, project)))


def _add_runs(router: APIRouter, scorers: StoredScorers) -> None:
    """Adds the routes that run a scorer."""

    @router.post("/test", responses=ASKS, response_model=ScorerTrial)
    @needs("ingest", "read")
    async def test_scorer(request: Request, body: TestedScorer, project: Project = None) -> Any:
        """Runs a scorer that may not be saved yet; what is wrong with it is a part of the answer."""
        try:
            owner = await run_in_threadpool(project_of, request, project)
            if isinstance(body.body, PythonScorerBody):
                return await run_in_threadpool(_tried, scorers, body, body.body, owner)
            return await _judged(scorers, body, body.body, owner)
        except TraceStoreError as error:
            return problem(error)

    @router.post("/{name}/score", responses=ASKS, response_model=Scored)
    @needs("ingest", "read")
    async def score_case(request: Request, name: Name, body: Case, project: Project = None) -> Any:
        """Gives the scores of one case by the newest version of a scorer."""
        try:
            owner = await run_in_threadpool(project_of, request, project)
            scorer = await run_in_threadpool(scorers.get, name, owner)
            scores = await scorer.score(body.input, body.output, body.expected, body.metadata)
        except CodeError as error:
            return refused(error)
        except TraceStoreError as error:
            return problem(error)
        return {"name": name, "version": scorer.version, "scores": list(map(_given, scores))}


def _tried(
    scorers: StoredScorers, body: TestedScorer, code: PythonScorerBody, project: str
) -> dict[str, Any]:
    scorer = scorers.made(body.name, None, code, project)
    arguments = {name: getattr(body, name) for name in ARGUMENTS}
    outcome = scorer.tried(arguments, body.time_s)  # type: ignore[union-attr] # code makes a PythonScorer
    failure: dict[str, Any] | None = None
    scores: list[Score] = []
    if outcome.failure is None:
        try:
            scores = scores_of(outcome.value, body.name)
        except PlayError as error:
            failure = {"kind": "output", "message": str(error), "line": None}
    return {"scores": list(map(_given, scores)), **trial(outcome, failure)}


async def _judged(
    scorers: StoredScorers, body: TestedScorer, judge: JudgeBody, project: str
) -> dict[str, Any]:
    scorer = scorers.made(body.name, None, judge, project)
    started = time.perf_counter()
    failure: dict[str, Any] | None = None
    scores: list[Score] = []
    try:
        scores = await scorer.score(body.input, body.output, body.expected, body.metadata)
    except (ProviderError, PlayError) as error:
        kind = "provider" if isinstance(error, ProviderError) else "output"
        failure = {"kind": kind, "message": str(error), "line": None}
    outcome = Outcome(seconds=time.perf_counter() - started)
    return {"scores": list(map(_given, scores)), **trial(outcome, failure)}


def _listed(scorers: StoredScorers, projects: frozenset[str] | None) -> list[dict[str, Any]]:
    built_in = [
        {
            "name": name,
            "project": None,
            "type": "built-in",
            "version": None,
            "updated_ns": None,
            "author": None,
            "body": None,
        }
        for name in scorers.built_in()
    ]
    stored = [
        {**shown(each), "type": (each.body or {}).get("type")} for each in scorers.list(projects)
    ]
    return [*built_in, *stored]


def _given(score: Score) -> dict[str, Any]:
    return {
        "name": score.name,
        "score": score.score,
        "rationale": score.rationale,
        "metadata": dict(score.metadata),
    }
