#!/usr/bin/env node
/** `tracestore eval FILE…`: runs files of evals; status 1 where a bound is not kept or a trial failed. */

import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

import { said } from "./errors.js";
import { type EvalResult, surround, type Surroundings } from "./eval.js";

const USAGE = `usage: tracestore eval FILE... [options]

  --url URL                  the server; default TRACESTORE_URL, else http://127.0.0.1:4318
  --key KEY                  its API key; default TRACESTORE_API_KEY
  --fail-under SCORE=MEAN    a score and its least mean; repeat for several
  --max-failures NUMBER      trials whose task or scorer may fail; default 0 where --fail-under is given, else any
  --concurrency NUMBER       cases under way at once, whatever the files say`;

class UsageError extends Error {}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: "string" },
      key: { type: "string" },
      "fail-under": { type: "string", multiple: true },
      "max-failures": { type: "string" },
      concurrency: { type: "string" },
      help: { type: "boolean" },
    },
  });
  const [command, ...files] = positionals;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (command !== "eval" || !files.length) throw new UsageError(USAGE);
  const bounds = (values["fail-under"] ?? []).map(bound);
  const around: Surroundings = {
    options: { url: values.url, apiKey: values.key },
    concurrency: whole(values.concurrency, "--concurrency", 1),
    results: [],
    pending: new Set(),
  };
  surround(around);
  for (const file of files) await load(file);
  // A file need not wait for its evals, and one may start another.
  for (let done = -1; done < around.pending.size; ) {
    done = around.pending.size;
    await Promise.all(around.pending);
  }
  if (around.results.length < around.pending.size) return 1;
  if (!around.results.length) throw new UsageError("no file called Eval");
  if (around.results.some((result) => result.interrupted)) return 130;
  const allowed = whole(values["max-failures"], "--max-failures", 0) ?? (bounds.length ? 0 : Number.POSITIVE_INFINITY);
  const problems = around.results.flatMap((result) => below(result, bounds));
  const failures = around.results.flatMap((result) => result.cases).filter((each) => each.error !== undefined || Object.keys(each.scorerErrors).length);
  if (failures.length > allowed) problems.push(`${failures.length} trials failed; want ${allowed} or fewer`);
  for (const [name] of bounds) {
    if (!around.results.some((result) => name in result.scores)) problems.push(`no eval gave the score ${name}`);
  }
  for (const problem of problems) console.error(problem);
  return problems.length ? 1 : 0;
}

function below(result: EvalResult, bounds: readonly (readonly [string, number])[]): string[] {
  return bounds
    .filter(([name, least]) => (result.scores[name]?.mean ?? least) < least)
    .map(([name, least]) => `${result.experiment}: ${name} is ${result.scores[name]?.mean.toFixed(3)}; want ${least} or more`);
}

function bound(text: string): [string, number] {
  const at = text.lastIndexOf("=");
  const least = Number(text.slice(at + 1) || Number.NaN);
  if (at < 1 || Number.isNaN(least)) throw new UsageError(`--fail-under ${text}: want SCORE=MEAN`);
  return [text.slice(0, at), least];
}

function whole(text: string | undefined, option: string, least: number): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (!Number.isInteger(number) || number < least) throw new UsageError(`${option} ${text}: want a whole number of ${least} or more`);
  return number;
}

async function load(file: string): Promise<void> {
  const url = pathToFileURL(resolve(file)).href;
  try {
    await import(url);
  } catch (error) {
    if ((error as { code?: string }).code !== "ERR_UNKNOWN_FILE_EXTENSION") throw error;
    await withTypeScript();
    await import(`${url}?typescript`);
  }
}

/** Lets Node read TypeScript by the project's own `tsx`: before 22.18 it does not by itself. */
async function withTypeScript(): Promise<void> {
  let found: string;
  try {
    found = createRequire(`${process.cwd()}/`).resolve("tsx/esm/api");
  } catch {
    throw new UsageError("this Node reads no TypeScript; install tsx (npm install --save-dev tsx), or use Node 22.18 or newer, Deno or Bun");
  }
  const { register } = (await import(pathToFileURL(found).href)) as { register(): void };
  register();
}

main().then(
  (status) => void (process.exitCode = status),
  (error: unknown) => {
    console.error(error instanceof UsageError ? error.message : `error: ${said(error)}`);
    process.exitCode = error instanceof UsageError || error instanceof TypeError ? 2 : 1;
  },
);
