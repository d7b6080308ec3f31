/** Runs cases: several at a time; one that fails is a result and stops nothing. */

import type { CaseResult, Scorer, Task } from "./cases.js";
import { scoreOf } from "./cases.js";
import { said } from "./errors.js";
import { Double } from "./json.js";
import { claimTrace, inSpan, type Run, releaseTrace, type Sink } from "./spans.js";

const RETRY_WAIT_MS = 200;
const MAX_RETRY_WAIT_MS = 10_000;

export interface Plan<I, O, E> {
  readonly task: Task<I, O, E>;
  readonly scores: readonly Scorer<I, O, E>[];
  readonly concurrency: number;
  readonly timeoutMs: number | undefined;
  readonly retries: number;
  readonly sink: Sink;
  readonly stopped: () => boolean;
}

const SERVICE = "tracestore-eval";

export async function runCases<I, O, E>(plan: Plan<I, O, E>, cases: AsyncGenerator<CaseResult<I, O, E>, void, undefined>): Promise<CaseResult<I, O, E>[]> {
  const results: CaseResult<I, O, E>[] = [];
  const work = async (): Promise<void> => {
    while (!plan.stopped()) {
      const next = await cases.next();
      if (next.done) return;
      await runCase(plan, next.value);
      results.push(next.value);
    }
  };
  await Promise.all(Array.from({ length: plan.concurrency }, work));
  return results;
}

async function runCase<I, O, E>(plan: Plan<I, O, E>, result: CaseResult<I, O, E>): Promise<void> {
  const { input, expected, metadata, tags, id } = result.case;
  const fields = { type: "eval", input, expected, metadata, tags, row_id: id, trial: result.trial };
  const run: Run = { root: true, sink: plan.sink, service: SERVICE };
  const typed = fields as Parameters<typeof inSpan>[1];
  await inSpan("case", typed, async (root) => {
    result.traceId = root.traceId;
    claimTrace(root.traceId, plan.sink);
    const started = performance.now();
    try {
      await tryTask(plan, result);
    } catch (error) {
      result.error = said(error);
    }
    result.durationMs = performance.now() - started;
    if (result.error === undefined) for (const [i, scorer] of plan.scores.entries()) await score(plan, scorer, i, result);
    else root.failedBelow(result.error);
    const scores = Object.entries(result.scores).map(([name, value]) => [name, new Double(value)]);
    root.set({ output: result.output, scores: scores.length ? Object.fromEntries(scores) : undefined });
  }, run);
  releaseTrace(result.traceId);
}

async function tryTask<I, O, E>(plan: Plan<I, O, E>, result: CaseResult<I, O, E>): Promise<void> {
  const { input, expected, metadata } = result.case;
  for (let attempt = 0; ; attempt++) {
    try {
      await inSpan(plan.task.name || "task", { type: "task", input }, async (span) => {
        result.output = await within(plan.timeoutMs, (signal) => plan.task(input, { expected, metadata, signal }));
        span.set({ output: result.output });
      }, { service: SERVICE });
      return;
    } catch (error) {
      if (attempt >= plan.retries) throw error;
      const waitMs = Math.random() * Math.min(MAX_RETRY_WAIT_MS, RETRY_WAIT_MS * 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}

async function score<I, O, E>(plan: Plan<I, O, E>, scorer: Scorer<I, O, E>, position: number, result: CaseResult<I, O, E>): Promise<void> {
  const name = scorer.name || `scorer ${position + 1}`;
  const { input, expected, metadata } = result.case;
  try {
    await inSpan(name, { type: "score" }, async (span) => {
      const values = { input, output: result.output as O, expected, metadata };
      const given = scoreOf(await within(plan.timeoutMs, async () => scorer(values)), name);
      if (given === undefined) return;
      result.scores[given.name] = given.score;
      span.set({ output: { score: new Double(given.score) }, metadata: given.metadata as Record<string, unknown> });
    }, { purpose: "scorer", service: SERVICE });
  } catch (error) {
    result.scorerErrors[name] = said(error);
  }
}

/** Calls a function; rejects where it takes too long, and aborts the signal that it was given. */
async function within<T>(timeoutMs: number | undefined, call: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
  const controller = new AbortController();
  if (timeoutMs === undefined) return call(controller.signal);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new Error("it took longer than timeoutMs allows");
      error.name = "TimeoutError";
      controller.abort(error);
      reject(error);
    }, timeoutMs);
  });
  try {
    return await Promise.race([call(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}
