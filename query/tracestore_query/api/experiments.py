"""Experiments over HTTP: `/api/experiments` and `/api/experiments/compare`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, projects_of
from tracestore_query.api.datasets import MAX_VERSION, answered, project_of
from tracestore_query.evals.experiments import SqlExperiments
from tracestore_query.tables.compare import MAX_EXPERIMENTS


class ExperimentBody(BaseModel):
    """What may be recorded of an experiment; what is given replaces what was."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, Any] | None = None
    dataset: str | None = Field(default=None, max_length=1024)
    dataset_version: int | None = Field(default=None, ge=1, le=MAX_VERSION)
    base: str | None = Field(default=None, max_length=1024)
    git_commit: str | None = Field(default=None, max_length=256)


class NewExperimentBody(ExperimentBody):
    """What is recorded of an experiment, and whether its name must be its own."""

    unique: bool = Field(
        default=False,
        description="Reserves the name: where it is taken, the experiment gets `name-2`, `name-3`, …",
    )


class ExperimentRecord(ExperimentBody):
    """What was recorded of an experiment."""

    project: str
    name: str
    created_ns: int


class CompareBody(BaseModel):
    """The experiments to compare; the first is the baseline."""

    model_config = ConfigDict(extra="forbid")

    experiments: list[str] = Field(min_length=2, max_length=MAX_EXPERIMENTS)
    project: str | None = Field(default=None, max_length=1024)
    key: str | None = Field(
        default=None,
        max_length=1024,
        description="The path whose value makes two cases the same; default their inputs.",
    )
    group_by: str | None = Field(
        default=None, max_length=1024, description="The path whose values part the summary."
    )
    cases: int = Field(
        default=1000, ge=0, le=100_000, description="Cases listed, those that fell most first."
    )
    contents: bool = Field(
        default=True,
        description="Whether listed cases have their input, what was expected, and each output.",
    )


class ScoreChange(BaseModel):
    """The change of one score over the cases that both experiments have scored."""

    difference: float
    improvements: int
    regressions: int
    unchanged: int


class Metric(BaseModel):
    """A measure: its sum over all trials, and its mean."""

    sum: float
    mean: float


class ExperimentSummary(BaseModel):
    """The summary of one experiment; the last three fields are of those that are compared with the baseline."""

    name: str
    cases: int
    trials: int
    errors: int
    scores: dict[str, float]
    metrics: dict[str, Metric]
    new_cases: int | None = None
    missing_cases: int | None = None
    against_baseline: dict[str, ScoreChange] | None = None


class GroupSummary(BaseModel):
    """The summaries of the cases of one group."""

    group: str | None
    experiments: list[ExperimentSummary]


class CaseRun(BaseModel):
    """A case in one experiment: the means of its trials; the ids and the output are of the first."""

    trace_id: str
    span_id: str
    trace_ids: list[str]
    output: Any = None
    trials: int
    errors: int
    scores: dict[str, float]
    metrics: dict[str, float]
    difference: dict[str, float] | None = None


class ComparedCase(BaseModel):
    """A case in each experiment that has it."""

    key: str
    input_key: int | None
    name: str
    group: str | None
    input: Any = None
    expected: Any = None
    experiments: dict[str, CaseRun]


class CompareAnswer(BaseModel):
    """The comparison of experiments."""

    baseline: str
    experiments: list[ExperimentSummary]
    groups: list[GroupSummary] | None = None
    cases: list[ComparedCase]
    warnings: list[str]


def experiments_router(experiments: SqlExperiments) -> APIRouter:
    """Returns the routes of a store's experiments."""
    router = APIRouter(prefix="/api/experiments", tags=["experiments"])

    @router.get("", responses=ERRORS, response_model=list[ExperimentRecord])
    @needs("read")
    async def list_experiments(request: Request) -> Any:
        """Lists what was recorded of experiments, newest first; `SELECT * FROM experiments` has their spans too."""
        return await answered(
            lambda: [asdict(each) for each in experiments.list(projects_of(request))]
        )

    @router.post("", responses=ERRORS, response_model=ExperimentRecord)
    @needs("ingest")
    async def create(
        request: Request,
        body: NewExperimentBody,
        name: Annotated[str, Query(min_length=1, max_length=1024)],
        project: Annotated[str | None, Query(max_length=1024)] = None,
    ) -> Any:
        """Records an experiment, or more of one that is known."""
        return await answered(
            lambda: asdict(
                experiments.create(name, project=project_of(request, project), **body.model_dump())
            )
        )

    @router.post("/compare", responses=ERRORS, response_model=CompareAnswer)
    @needs("read")
    async def compare(request: Request, body: CompareBody) -> Any:
        """Compares experiments with the first of them, case by case and in sum."""

        def compared() -> Response:
            told = experiments.compare(
                *body.experiments,
                project=body.project,
                key=body.key,
                group_by=body.group_by,
                cases=body.cases,
                contents=body.contents,
                projects=projects_of(request),
            )
            # As it is: to validate 20,000 cases takes longer than to compare them.
            return Response(to_json(told, inf_nan_mode="null"), media_type="application/json")

        return await answered(compared)

    return router
