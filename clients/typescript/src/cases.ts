/** What an eval runs over and what it finds. Knows no telemetry and no server. */

import type { DatasetRow } from "./datasets.js";
import { EvalError } from "./errors.js";

export interface DatasetRef {
  readonly dataset: string;
  readonly version?: number | string | undefined;
  readonly project?: string | undefined;
}

/** Returns a dataset as the data of an eval, as of a version or snapshot (default the newest when it starts). */
export function dataset(name: string, version?: number | string, { project }: { project?: string } = {}): DatasetRef {
  return { dataset: name, version, project };
}

export interface Case<Input = unknown, Expected = unknown> extends DatasetRow {
  readonly input: Input;
  readonly expected?: Expected;
}

type Rows<T> = Iterable<T> | AsyncIterable<T>;
export type Data<Input, Expected> = DatasetRef | Rows<Case<Input, Expected>> | (() => Rows<Case<Input, Expected>> | Promise<Rows<Case<Input, Expected>>>);

export interface TaskContext<Expected> {
  readonly expected: Expected | undefined;
  readonly metadata: unknown;
  /** Aborted when the try has taken longer than `timeoutMs`. */
  readonly signal: AbortSignal;
}

export interface Scored<Input, Output, Expected> {
  readonly input: Input;
  readonly output: Output;
  readonly expected: Expected | undefined;
  readonly metadata: unknown;
}

export type Score = number | boolean | null | undefined | { readonly name?: string; readonly score: number | boolean | null; readonly metadata?: unknown };

export type Task<Input, Output, Expected> = (input: Input, context: TaskContext<Expected>) => Output | Promise<Output>;
export type Scorer<Input, Output, Expected> = (values: Scored<Input, Output, Expected>) => Score | Promise<Score>;

export interface CaseResult<Input = unknown, Output = unknown, Expected = unknown> {
  readonly number: number;
  readonly trial: number;
  readonly case: Case<Input, Expected>;
  traceId: string;
  output: Output | undefined;
  error: string | undefined;
  readonly scores: Record<string, number>;
  readonly scorerErrors: Record<string, string>;
  durationMs: number;
}

const FIELDS = new Set(["id", "input", "expected", "metadata", "tags", "origin"]);

/** Yields each row once for each trial, with its number. */
export async function* casesOf<I, E>(rows: Rows<Case<I, E>>, trials: number): AsyncGenerator<CaseResult<I, never, E>, void, undefined> {
  let number = 0;
  for await (const row of rows) {
    if (typeof row !== "object" || row === null || !("input" in row)) {
      throw new EvalError(`cannot run row ${number} of the data: it has no input; want {input, …}`);
    }
    const unknown = Object.keys(row).filter((key) => !FIELDS.has(key));
    if (unknown.length) {
      throw new EvalError(`cannot run row ${number} of the data: unexpected fields ${unknown.join(", ")}; put them into metadata`);
    }
    for (let trial = 0; trial < trials; trial++) {
      const empty = { traceId: "", output: undefined, error: undefined, scores: {}, scorerErrors: {}, durationMs: 0 };
      yield { number, trial, case: row, ...empty };
    }
    number += 1;
  }
}

/** Returns the name, number and metadata of what a scorer returned, undefined where it gave no score. */
export function scoreOf(value: Score, name: string): { name: string; score: number; metadata: unknown } | undefined {
  if (value === null || value === undefined) return undefined;
  const named = typeof value === "object" ? value : { score: value };
  if (named.score === null || named.score === undefined) return undefined;
  const score = typeof named.score === "string" ? Number.NaN : Number(named.score);
  if (!Number.isFinite(score)) {
    throw new EvalError(`cannot keep what scorer ${name} returned: want a number, {name, score, metadata} or null`);
  }
  return { name: named.name ?? name, score, metadata: named.metadata };
}

/** Returns the mean of each score over cases; trials of a case count by their mean. */
export function averages(results: Iterable<CaseResult>): Record<string, number> {
  const gathered = new Map<string, Map<number, number[]>>();
  for (const result of results) {
    for (const [name, score] of Object.entries(result.scores)) {
      const cases = gathered.get(name) ?? new Map<number, number[]>();
      gathered.set(name, cases);
      cases.set(result.number, [...(cases.get(result.number) ?? []), score]);
    }
  }
  const names = Array.from(gathered.keys()).sort();
  return Object.fromEntries(names.map((name) => [name, mean(Array.from(gathered.get(name)?.values() ?? [], mean))]));
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
