"""A day of a support agent: turns of sessions, retries, slow tools, errors, scores of reviewers.

Everything is drawn from one seed: the same moment gives the same day.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

PROJECT: Final = "support"

DAY_NS: Final = 24 * 3600 * 1_000_000_000
_MS: Final = 1_000_000

_TEXTS: Final[dict[str, Any]] = json.loads(
    Path(__file__).with_name("support.json").read_text("utf-8")
)
_MODELS: Final = (
    # name, provider, weight, tokens a second, dollars per million tokens in and out
    ("gpt-4o", "openai", 5, 80, 2.5, 10.0),
    ("claude-sonnet-4-5", "anthropic", 4, 65, 3.0, 15.0),
    ("gpt-4o-mini", "openai", 3, 140, 0.15, 0.6),
)
_TOOLS: Final = {
    "parcel": ("lookup_order", "track_parcel"),
    "refund": ("lookup_order", "issue_refund"),
    "address": ("lookup_order",),
    "voucher": ("check_voucher",),
    "plan": (),
    "invoice": ("list_invoices",),
}


@dataclass(slots=True)
class _Trace:
    """Rows of one trace under construction; `now` is the time at which the next span begins."""

    trace_id: str
    chance: random.Random
    now: int
    shared: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)

    def span(
        self, name: str, span_type: str | None, ms: float, parent: str | None, **more: Any
    ) -> str:
        """Adds a span that begins now; returns its id."""
        span_id = f"{self.chance.getrandbits(64):016x}"
        row: dict[str, Any] = {
            "trace_id": self.trace_id,
            "span_id": span_id,
            "name": name,
            "type": span_type,
            "start_ns": self.now,
            "duration_ns": int(ms * _MS),
            "service": "support-agent",
            "kind": "INTERNAL",
            "status_code": "OK",
            **more,
        }
        if parent is not None:
            row["parent_span_id"] = parent
        row["metadata"] = {**self.shared, **row.get("metadata", {})}
        self.rows.append(row)
        return span_id

    def wait(self, ms: float) -> None:
        """Lets time pass."""
        self.now += int(ms * _MS)


def support_day(end_ns: int, traces: int = 420) -> Iterator[dict[str, Any]]:
    """Yields the spans of a day that ends at a time, as rows to insert."""
    chance = random.Random(20)  # noqa: S311 - a story, not a secret
    made = 0
    while made < traces:
        # More is asked by day than at night, and something broke two hours before the end.
        at = end_ns - int(DAY_NS * chance.betavariate(1.3, 1.6))
        topic, question = chance.choice(_TEXTS["questions"])
        session, user = f"session-{made:04d}", f"user-{chance.randint(1, 38):02d}"
        tier = chance.choices(("free", "pro", "team"), (5, 4, 1))[0]
        order = chance.randint(10_000, 99_999)
        history: list[dict[str, Any]] = [{"role": "system", "content": _TEXTS["system"]}]
        for turn in range(chance.choices((1, 2, 3, 5), (6, 3, 2, 1))[0]):
            asked = (
                question.format(order=order) if turn == 0 else chance.choice(_TEXTS["follow_ups"])
            )
            shared = {"session_id": session, "user_id": user, "tier": tier, "topic": topic}
            trace = _Trace(f"{chance.getrandbits(128):032x}", chance, at, shared)
            broken = 0.075 < (end_ns - at) / DAY_NS < 0.105
            yield from _turn(trace, history, asked, topic, order, turn, broken=broken)
            at = trace.now + int(chance.uniform(20, 300) * 1000 * _MS)
            made += 1
            if at >= end_ns:
                break


def _turn(
    trace: _Trace,
    history: list[dict[str, Any]],
    asked: str,
    topic: str,
    order: int,
    turn: int,
    *,
    broken: bool,
) -> list[dict[str, Any]]:
    """Plays one turn of a conversation and returns its spans."""
    chance = trace.chance
    start = trace.now
    history.append({"role": "user", "content": asked})
    root = trace.span("invoke_agent support", "agent", 0, None, input=asked, kind="SERVER")
    trace.wait(chance.uniform(2, 9))
    _guard(trace, root, "guardrail: input", asked)
    _retrieve(trace, root, asked, turn)
    failed: str | None = None
    for tool in _TOOLS[topic]:
        call_id = f"call_{chance.getrandbits(40):010x}"
        arguments = {"order": order} if tool != "check_voucher" else {"code": f"VOUCHER-{order}"}
        _chat(trace, root, history, calls=[(call_id, tool, arguments)])
        failed = _use_tool(trace, root, history, call_id, tool, arguments, broken=broken) or failed
    reply = _TEXTS["replies"][topic].format(order=order, euros=chance.randint(9, 140))
    if failed is not None and chance.random() < 0.7:
        reply = _TEXTS["sorry"].format(tool=failed)
    _chat(trace, root, history, reply=reply)
    trace.wait(chance.uniform(1, 6))
    _guard(trace, root, "guardrail: no promises", reply)
    head = trace.rows[0]
    head["duration_ns"] = trace.now - start
    head["output"] = reply
    helpful = 0.35 if failed else chance.choice((0.8, 0.9, 0.9, 1.0, 1.0, 0.6))
    head["scores"] = {"grounded": round(chance.uniform(0.55, 1.0), 2)}
    if chance.random() < 0.45:
        head["scores"]["helpful"] = helpful
        head["metadata"]["reviewer"] = chance.choice(("ada", "grace", "alan"))
    head["tags"] = [topic] if turn == 0 else [topic, "follow-up"]
    # A release in the middle of the day reports retries as a text: both stay queryable.
    retries = 0 if failed is None else chance.randint(1, 3)
    head["attributes"] = {
        "retries": retries if start % 5 else str(retries),
        "app": {"version": "1.4.2" if turn else "1.4.3"},
    }
    if failed is not None and chance.random() < 0.5:
        head["status_code"] = "ERROR"
        head["status_message"] = f"{failed} did not answer"
    return trace.rows


def _guard(trace: _Trace, root: str, name: str, text: str) -> None:
    ms = trace.chance.uniform(12, 60)
    trace.span(name, "guardrail", ms, root, input=text, output={"allowed": True})
    trace.wait(ms)


def _retrieve(trace: _Trace, root: str, asked: str, turn: int) -> None:
    chance = trace.chance
    embed_ms, search_ms = chance.uniform(18, 60), chance.uniform(25, 140)
    documents = [
        {
            "id": f"kb/{name}",
            "score": round(0.93 - 0.11 * place - chance.uniform(0, 0.08), 3),
            "content": _TEXTS["article"].format(name=name),
        }
        for place, name in enumerate(
            chance.sample(("tracking", "refunds", "delays", "addresses", "vouchers", "plans"), 3)
        )
    ]
    inner = trace.span(
        "retrieve articles",
        "retriever",
        embed_ms + search_ms + 3,
        root,
        input=asked,
        output=documents,
    )
    trace.span(
        "embed question",
        "embedding",
        embed_ms,
        inner,
        metadata={"model": "text-embedding-3-small"},
        metrics={"tokens": len(asked) // 4, "prompt_tokens": len(asked) // 4},
    )
    trace.wait(embed_ms + 1)
    trace.span(
        "SELECT articles",
        None,
        search_ms,
        inner,
        attributes={"db": {"system": "postgresql", "rows": 3 + turn}},
    )
    trace.wait(search_ms + 2)


def _chat(
    trace: _Trace,
    root: str,
    history: list[dict[str, Any]],
    *,
    reply: str | None = None,
    calls: list[tuple[str, str, dict[str, Any]]] | None = None,
) -> None:
    """Adds a model call that answers or asks for tools, and its message to the history."""
    chance = trace.chance
    model, provider, _, speed, price_in, price_out = chance.choices(
        _MODELS, [each[2] for each in _MODELS]
    )[0]
    message: dict[str, Any] = {"role": "assistant", "content": reply}
    if calls:
        message["tool_calls"] = [
            {"id": call, "type": "function", "function": {"name": tool, "arguments": given}}
            for call, tool, given in calls
        ]
    prompt = 180 + sum(len(str(each.get("content") or "")) for each in history) // 4
    completion = 24 + len(reply or "") // 3 + 18 * len(calls or ())
    cached = prompt // 2 if len(history) > 3 else 0
    ms = 220 + completion / speed * 1000 * chance.uniform(0.7, 1.5)
    if chance.random() < 0.03:
        ms *= 6  # now and then a model takes its time
    first_ms = chance.uniform(120, 380)
    trace.span(
        f"chat {model}",
        "llm",
        ms,
        root,
        kind="CLIENT",
        input=[*history],
        output=[message],
        metadata={
            "model": model,
            "provider": provider,
            "temperature": chance.choice((0.0, 0.2, 0.7)),
        },
        metrics={
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "tokens": prompt + completion,
            "prompt_cached_tokens": cached,
            "estimated_cost": round((prompt * price_in + completion * price_out) / 1e6, 6),
            "time_to_first_token": round(first_ms / 1000, 3),
        },
        events=[
            {
                "name": "gen_ai.first_token",
                "time_unix_nano": trace.now + int(first_ms * _MS),
                "attributes": {"chunk": 0},
            }
        ],
    )
    trace.wait(ms + chance.uniform(1, 5))
    history.append(message)


def _use_tool(
    trace: _Trace,
    root: str,
    history: list[dict[str, Any]],
    call_id: str,
    tool: str,
    arguments: dict[str, Any],
    *,
    broken: bool,
) -> str | None:
    """Plays a tool, tried again up to twice; returns its name where it failed for good."""
    chance = trace.chance
    odds = 0.85 if broken and tool == "track_parcel" else 0.05
    for attempt in range(3):
        fails = chance.random() < odds
        ms = chance.uniform(900, 2500) if fails else chance.lognormvariate(5.0, 0.6)
        result = {
            "order": arguments.get("order"),
            "status": "in transit",
            "parcel": chance.randint(1, 400),
        }
        more: dict[str, Any] = {"output": result}
        if fails:
            text = f"{tool} did not answer within {ms / 1000:.1f} s"
            more = {
                "status_code": "ERROR",
                "status_message": text,
                "error": {"type": "TimeoutError", "message": text},
                "events": [
                    {
                        "name": "exception",
                        "time_unix_nano": trace.now + int(ms * _MS),
                        "attributes": {
                            "exception.type": "TimeoutError",
                            "exception.message": text,
                            "exception.stacktrace": _TEXTS["stack"].format(tool=tool, text=text),
                        },
                    }
                ],
            }
        inner = trace.span(
            f"execute_tool {tool}",
            "tool",
            ms,
            root,
            input=arguments,
            metadata={"tool": tool, "attempt": attempt},
            **more,
        )
        trace.span(
            f"GET /{tool.rsplit('_', maxsplit=1)[-1].removesuffix('s')}s",
            None,
            ms * 0.92,
            inner,
            kind="CLIENT",
            status_code="ERROR" if fails else "OK",
            attributes={
                "http": {"method": "GET", "status_code": 504 if fails else 200},
                "retries": attempt,
            },
        )
        trace.wait(ms + chance.uniform(1, 4))
        if not fails:
            history.append(
                {"role": "tool", "tool_call_id": call_id, "name": tool, "content": result}
            )
            return None
    history.append(
        {
            "role": "tool",
            "tool_call_id": call_id,
            "name": tool,
            "content": {"error": "the tool did not answer"},
        }
    )
    return tool
