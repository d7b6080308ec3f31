// Takes the steps of the contract and prints what each gave, as JSON: node contract.mjs URL STEPS.json
import { readFileSync } from "node:fs";

import { Client, dataset, Eval } from "@tracestore/client";

const [url, file] = process.argv.slice(2);
const client = new Client({ url });

class RuntimeError extends Error {
  name = "RuntimeError";
}

const TASKS = {
  answer_sums: function answer_sums({ question }) {
    const [left, sign, right] = question.split(" ");
    return sign === "+" ? String(Number(left) + Number(right)) : "unknown";
  },
  answer_all: function answer_all(input, { expected, metadata }) {
    if (metadata.fail) throw new RuntimeError("the model did not answer");
    return expected;
  },
  same: function same(input) {
    return input;
  },
};
const SCORERS = {
  exact: function exact({ output, expected }) {
    return Number(output === expected);
  },
  length: function length({ output }) {
    return { name: "length", score: output.length / 4, metadata: { characters: output.length } };
  },
  broken: function broken() {
    throw new RuntimeError("no score");
  },
  silent: function silent() {
    return null;
  },
};

// No optional values: what is absent is not sent.
const told = ({ slug, version, labels, body }) => [slug, version, labels, body];
const where = ({ project }) => ({ project });
const VERBS = {
  insert: ({ table, rows, ...more }) => client.insert(table, rows, more),
  sql: async ({ sql, params }) => {
    const { rows, columns } = await client.sql(sql, params);
    const streamed = [];
    for await (const row of client.sql(sql, params)) streamed.push(row);
    if (String(streamed.map(Object.entries)) !== String(rows.map(Object.entries))) throw new Error("a stream has other rows");
    return { rows, columns };
  },
  "dataset add": (step) => client.datasets.add(step.name, step.sql ? { sql: step.sql } : step.rows, where(step)),
  "dataset update": (step) => client.datasets.update(step.name, step.rows, where(step)),
  "dataset snapshot": (step) => client.datasets.snapshot(step.name, step.snapshot, where(step)),
  "dataset delete": (step) => client.datasets.delete(step.name, step.ids, where(step)),
  "dataset rows": async ({ name, version, project }) => (await client.datasets.get(name, { version, project })).rows,
  "prompt create": async ({ slug, body, ...more }) => told(await client.prompts.create(slug, body, more)),
  "prompt save": async ({ slug, body, ...more }) => told(await client.prompts.save(slug, body, more)),
  "prompt label": async ({ slug, label, version, ...more }) => told(await client.prompts.label(slug, label, version, more)),
  "prompt get": async ({ slug, ...more }) => told(await client.prompts.get(slug, more)),
  "prompt render": async ({ slug, input, ...more }) => (await client.prompts.get(slug, more)).render(input),
  "prompt run": async ({ slug, input, ...more }) => (await (await client.prompts.get(slug, more)).run(input)).output,
  "prompt versions": ({ slug, ...more }) => client.prompts.versions(slug, more),
  score: ({ span, name, value, ...more }) => client.score(span, name, value, more),
  tag: ({ span, tags, ...more }) => client.tag(span, tags, more),
  comment: ({ span, text, ...more }) => client.comment(span, text, more),
  expected: ({ span, value, ...more }) => client.expected(span, value, more),
  eval: async (step) => {
    const result = await Eval(step.project, {
      client,
      experiment: step.experiment,
      data: step.data.rows ?? dataset(step.data.dataset, step.data.version),
      task: TASKS[step.task],
      scores: step.scores.map((name) => SCORERS[name]),
      trials: step.trials ?? 1,
      metadata: step.metadata ?? {},
      gitCommit: "abc",
      summary: false,
    });
    const cases = result.cases.map((each) => [each.number, each.trial, each.output ?? null, each.error ?? null, each.scores, each.scorerErrors]);
    const means = Object.fromEntries(Object.entries(result.scores).map(([name, score]) => [name, [score.mean, score.base ?? null, score.difference ?? null]]));
    return [result.experiment, result.base ?? null, means, cases.sort((a, b) => a[0] - b[0] || a[1] - b[1]), result.failed.length];
  },
  compare: ({ experiments, project }) => client.experiments.compare(experiments, { project }),
  experiments: () => client.experiments.list(),
};

const { steps } = JSON.parse(readFileSync(file, "utf8"));
// The file's own integers beyond 2^53 are bigint, as they are in answers.
const exact = (value) => {
  if (Array.isArray(value)) return value.map(exact);
  if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, exact(each)]));
  return typeof value === "string" && /^bigint:/.test(value) ? BigInt(value.slice(7)) : value;
};
const given = [];
for (const step of exact(steps)) {
  const { do: verb, ...values } = step;
  try {
    given.push((await VERBS[verb](values)) ?? null);
  } catch (error) {
    given.push({ error: error.message, status: error.status ?? null });
  }
}
console.log(JSON.stringify(given, (_, value) => (typeof value === "bigint" ? `bigint:${value}` : value)));
