/** What runs in a browser: the client. Tracing and evals need Node, Deno or Bun. */

export { Client } from "./client.js";
export type { FeedbackOptions, InsertOptions, InsertReport, Patch } from "./client.js";
export type { DatasetReport, DatasetRow, InProject } from "./datasets.js";
export { EvalError, TracestoreError } from "./errors.js";
export type { Comparison, ExperimentOptions, ExperimentRecord, ExperimentSummary, ScoreChange } from "./experiments.js";
export type { ClientOptions, Fetch } from "./http.js";
export type { SpanLike, SpanRef } from "./ids.js";
export { Prompt } from "./prompts.js";
export type { PromptBody, PromptMessage, PromptRun, PromptVersion, RunOptions, WhichVersion } from "./prompts.js";
export type { Answer, Column, Parameters, QueryOptions } from "./query.js";
export { Query } from "./query.js";
