"""A scorer that is a model: it reads a template, gives a reason and chooses; the choice is the score."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from tracestore.errors import PlayError
from tracestore.play.costs import CallCosts
from tracestore.play.providers.asking import Answered
from tracestore.play.providers.calls import Gathered, ModelCall, Usage
from tracestore.play.providers.registry import Providers
from tracestore.play.scorers.body import JudgeBody
from tracestore.play.scoring import Score
from tracestore.templates import render

INSTRUCTION: Final = (
    "Reply with one JSON object and nothing else: "
    '{{"rationale": "<why, in one or two sentences>", "choice": "<one of: {choices}>"}}'
)

MAX_RATIONALE_CHARACTERS: Final = 4000

MAX_SAID_CHARACTERS: Final = 200
"""Of an answer that is repeated in an error."""


@dataclass(frozen=True, slots=True)
class Judge:
    """A model that judges.

    Attributes:
        project: whose scorer it is.
        providers: have the model.
        costs: tell what a call costs.
    """

    name: str
    version: int | None
    body: JudgeBody
    project: str
    providers: Providers
    costs: CallCosts

    async def score(
        self,
        input: Any,  # noqa: A002 - the column's name
        output: Any,
        expected: Any,
        metadata: Any,
    ) -> list[Score]:
        """Returns the score of the model's choice.

        Raises:
            PlayError: where it chooses none of them.
            ProviderError, UnknownProviderError, TemplateError: where it cannot be asked.
        """
        values = {"input": input, "output": output, "expected": expected, "metadata": metadata}
        made = await asyncio.to_thread(render, self.body.prompt, values)
        provider = await asyncio.to_thread(self.providers.get, self.body.provider, self.project)
        instruction = INSTRUCTION.format(choices=", ".join(self.body.choices))
        messages = [{"role": "user", "content": f"{made.text}\n\n{instruction}"}]
        call = ModelCall(self.body.model, messages, self.body.parameters)
        gathered = Gathered()
        async with aclosing(self.providers.client(provider).stream(call)) as parts:
            async for part in parts:
                if not isinstance(part, Answered):
                    gathered.add(part)
        usage = gathered.usage or Usage()
        cost, _ = self.costs.of(call.model, provider.name, usage)
        choice, rationale = self._chosen(gathered.text)
        said: dict[str, Any] = {"choice": choice, "usage": usage.counts()}
        if cost is not None:
            said["cost"] = cost
        return [Score(self.name, self.body.choices[choice], rationale, said)]

    def _chosen(self, text: str) -> tuple[str, str | None]:
        """Returns the choice and the rationale in an answer; the object may stand among other words."""
        start, stop = text.find("{"), text.rfind("}") + 1
        try:
            told = json.loads(text[start:stop])
        except (ValueError, RecursionError):
            told = None
        labels = {label.strip().lower(): label for label in self.body.choices}
        if isinstance(told, Mapping):
            choice = labels.get(str(told.get("choice")).strip().lower())
            if choice is not None:
                why = told.get("rationale")
                return choice, str(why)[:MAX_RATIONALE_CHARACTERS] if why else None
        raise PlayError(
            f"cannot read the judgement of {self.name}: it chooses none of {', '.join(self.body.choices)}: "
            f"{text[:MAX_SAID_CHARACTERS]!r}; look at its prompt"
        )
