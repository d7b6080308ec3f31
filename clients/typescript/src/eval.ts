/** `Eval`: runs a task over cases, scores what comes out, and stores all of it as an experiment's spans. */

import { execFile } from "node:child_process";

import { chosenBase, withState } from "./bases.js";
import { averages, type Case, type CaseResult, casesOf, type Data, type DatasetRef, type Scorer, type Task } from "./cases.js";
import { Client } from "./client.js";
import { EvalError, said } from "./errors.js";
import type { Comparison } from "./experiments.js";
import { Exporter } from "./exporter.js";
import type { ClientOptions } from "./http.js";
import { runCases } from "./run.js";

export interface EvalOptions<I, O, E> extends ClientOptions {
  /** Default one of `url` and `apiKey`. */
  readonly client?: Client;
  /** The experiment's name, by default the project and the time. Where it is taken, a number is added. */
  readonly experiment?: string;
  readonly data: Data<I, E>;
  readonly task: Task<I, O, E>;
  readonly scores?: readonly Scorer<I, O, E>[];
  /** The experiment to compare with; default the last whole run on the same dataset, else the last that shares inputs. */
  readonly base?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly gitCommit?: string;
  /** Cases under way at once; default 8. */
  readonly concurrency?: number;
  /** Times that each case is tried; default once. */
  readonly trials?: number;
  /** Times that a task which failed is tried again; default none. */
  readonly retries?: number;
  /** Whether a summary is printed; default true. */
  readonly summary?: boolean;
}

export interface ScoreSummary {
  readonly mean: number;
  readonly base?: number | undefined;
  readonly difference?: number | undefined;
  readonly improvements?: number | undefined;
  readonly regressions?: number | undefined;
}

export interface EvalResult<I = unknown, O = unknown, E = unknown> {
  readonly project: string;
  readonly experiment: string;
  readonly base: string | undefined;
  readonly scores: Record<string, ScoreSummary>;
  readonly cases: CaseResult<I, O, E>[];
  readonly failed: CaseResult<I, O, E>[];
  readonly compared: Comparison | undefined;
  /** Whether somebody stopped it; what was done by then is here and stored. */
  readonly interrupted: boolean;
}

/** What the command line gives to evals, and takes of them. */
export interface Surroundings {
  readonly options: ClientOptions;
  readonly concurrency: number | undefined;
  readonly results: EvalResult[];
  readonly pending: Set<Promise<unknown>>;
}

const AROUND = Symbol.for("tracestore.evals");
type Global = { [AROUND]?: Surroundings | undefined };

/** Lets evals that name no server use the given one until the end of the program. */
export function surround(around: Surroundings): void {
  (globalThis as Global)[AROUND] = around;
}

export function Eval<I, O, E = unknown>(project: string, options: EvalOptions<I, O, E>): Promise<EvalResult<I, O, E>> {
  const around = (globalThis as Global)[AROUND];
  const running = evaluate(project, options, around);
  around?.pending.add(running.catch(() => undefined));
  return running;
}

async function evaluate<I, O, E>(project: string, options: EvalOptions<I, O, E>, around: Surroundings | undefined): Promise<EvalResult<I, O, E>> {
  const { trials = 1, retries = 0 } = options;
  const concurrency = around?.concurrency ?? options.concurrency ?? 8;
  if (concurrency < 1 || trials < 1 || retries < 0) {
    throw new EvalError("cannot run eval: concurrency and trials are at least 1, retries at least 0");
  }
  const client = options.client ?? new Client({ ...around?.options, ...options });
  const { rows, of } = await rowsOf(client, options.data, project);
  const now = new Date().toISOString().slice(0, 19).replace("T", " ");
  const record = await client.experiments.create(options.experiment ?? `${project} ${now}`, {
    project,
    metadata: withState(options.metadata, "running"),
    dataset: of?.dataset,
    datasetVersion: of?.version as number | undefined,
    base: options.base,
    gitCommit: options.gitCommit ?? (await gitCommit()),
    unique: true,
  });
  const exporter = new Exporter(client, { project, experiment: record.name }, false);
  let interrupted = false;
  const stop = (): void => void (interrupted = true);
  process.once("SIGINT", stop);
  let cases: CaseResult<I, O, E>[];
  try {
    const { task, scores = [], timeoutMs } = options;
    const plan = { task, scores, concurrency, timeoutMs, retries, sink: exporter, stopped: () => interrupted };
    cases = await runCases(plan, casesOf(rows, trials) as AsyncGenerator<CaseResult<I, O, E>, void, undefined>);
  } finally {
    process.removeListener("SIGINT", stop);
    await exporter.flush();
  }
  await client.experiments.create(record.name, { project, metadata: withState(options.metadata, interrupted ? "interrupted" : "done") });
  if (exporter.errors.length) {
    const first = exporter.errors[0];
    throw new EvalError(`cannot store all of experiment '${record.name}': ${exporter.errors.length} requests failed: ${said(first)}`, undefined, undefined, { cause: first });
  }
  const base = options.base ?? (await chosenBase(client, project, record.name, of?.dataset));
  if (options.base === undefined && base !== undefined) await client.experiments.create(record.name, { project, base });
  const compared = await compare(client, project, base, record.name);
  const scores = summarize(averages(cases), compared);
  const failed = cases.filter((each) => each.error !== undefined);
  const result = { project, experiment: record.name, base, scores, cases, failed, compared, interrupted };
  around?.results.push(result as EvalResult);
  if (options.summary ?? true) console.log(summaryOf(result as EvalResult));
  return result;
}

async function rowsOf<I, E>(client: Client, data: Data<I, E>, project: string): Promise<{ rows: Iterable<Case<I, E>> | AsyncIterable<Case<I, E>>; of?: DatasetRef }> {
  if (typeof data === "function") return { rows: await data() };
  if (!("dataset" in data)) return { rows: data };
  const owner = data.project ?? project;
  const version = typeof data.version === "number" ? data.version : await resolved(client, data.dataset, owner, data.version);
  const { rows } = await client.datasets.get(data.dataset, { project: owner, version });
  return { rows: rows.map(plain) as unknown as Case<I, E>[], of: { dataset: data.dataset, version } };
}

/** Returns a row without the fields that it has no value for. */
function plain(row: object): object {
  return Object.fromEntries(Object.entries(row).filter(([name, value]) => name === "input" || value !== null));
}

async function resolved(client: Client, name: string, project: string, wanted: string | undefined): Promise<number> {
  const sql = "SELECT version, snapshots FROM dataset_versions WHERE name = $name AND project = $project ORDER BY version DESC";
  const { rows } = await client.sql<{ version: number; snapshots: string[] | null }>(sql, { name, project });
  const found = rows.find((row) => wanted === undefined || row.snapshots?.includes(wanted));
  if (found) return found.version;
  const missing = wanted === undefined ? `dataset '${name}'` : `snapshot '${wanted}' of dataset '${name}'`;
  throw new EvalError(`cannot run eval: project '${project}' has no ${missing}, or it has no rows`);
}

async function compare(client: Client, project: string, base: string | undefined, name: string): Promise<Comparison | undefined> {
  if (base === undefined) return undefined;
  const sql =
    "SELECT DISTINCT experiment FROM spans WHERE project = $project AND is_root " +
    "AND input_key IS NOT NULL AND experiment IN ($base, $name)";
  const { rows } = await client.sql(sql, { base, name, project });
  return rows.length < 2 ? undefined : client.experiments.compare([base, name], { project });
}

function summarize(means: Record<string, number>, compared: Comparison | undefined): Record<string, ScoreSummary> {
  const base = compared?.experiments[0];
  const against = compared?.experiments[1]?.against_baseline ?? {};
  const entries = Object.entries(means).map(([name, mean]): [string, ScoreSummary] => {
    const { difference, improvements, regressions } = against[name] ?? {};
    return [name, { mean, base: base?.scores[name], difference, improvements, regressions }];
  });
  return Object.fromEntries(entries);
}

function summaryOf({ experiment, base, scores, cases, failed }: EvalResult): string {
  const lines = [base === undefined ? experiment : `${experiment} against ${base}`];
  for (const [name, score] of Object.entries(scores)) {
    const { mean, difference, improvements = 0, regressions = 0 } = score;
    const sign = (difference ?? 0) < 0 ? "" : "+";
    const change = difference === undefined ? "" : `  ${sign}${difference.toFixed(3)}  ${improvements} improved  ${regressions} regressed`;
    lines.push(`  ${name}  ${mean.toFixed(3)}${change}`);
  }
  lines.push(`${new Set(cases.map((each) => each.number)).size} cases, ${cases.length} trials, ${failed.length} failed`);
  for (const each of failed.slice(0, 3)) lines.push(`case ${each.number} failed: ${each.error}`);
  const broken = cases.flatMap((each) => Object.entries(each.scorerErrors));
  if (broken[0]) lines.push(`${broken.length} scorers failed, first ${broken[0][0]}: ${broken[0][1]}`);
  return lines.join("\n");
}

function gitCommit(): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile("git", ["rev-parse", "HEAD"], { timeout: 5000 }, (error, printed) => resolve(error ? undefined : printed.trim() || undefined));
  });
}
