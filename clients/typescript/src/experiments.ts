/** Experiments: named runs of an eval. */

import type { InProject } from "./datasets.js";
import type { Http } from "./http.js";
import { stringify } from "./json.js";

export interface ExperimentRecord {
  readonly project: string;
  readonly name: string;
  readonly created_ns: number | bigint;
  readonly metadata?: Record<string, unknown> | null;
  readonly dataset?: string | null;
  readonly dataset_version?: number | null;
  readonly base?: string | null;
  readonly git_commit?: string | null;
}

export interface ExperimentOptions extends InProject {
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly dataset?: string | undefined;
  readonly datasetVersion?: number | undefined;
  readonly base?: string | undefined;
  readonly gitCommit?: string | undefined;
  /** Reserves the name: where it is taken, the record has a free one. */
  readonly unique?: boolean | undefined;
}

export interface ScoreChange {
  readonly difference: number;
  readonly improvements: number;
  readonly regressions: number;
  readonly unchanged: number;
}

export interface ExperimentSummary {
  readonly name: string;
  readonly cases: number;
  readonly trials: number;
  readonly errors: number;
  readonly scores: Readonly<Record<string, number>>;
  readonly metrics: Readonly<Record<string, { readonly sum: number; readonly mean: number }>>;
  readonly new_cases?: number | null;
  readonly missing_cases?: number | null;
  readonly against_baseline?: Readonly<Record<string, ScoreChange>> | null;
}

export interface Comparison {
  readonly experiments: ExperimentSummary[];
  readonly [more: string]: unknown;
}

export class Experiments {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Records an experiment; of one that is known, what is given replaces what was. */
  create(name: string, options: ExperimentOptions = {}): Promise<ExperimentRecord> {
    const { project, datasetVersion, gitCommit, unique, ...others } = options;
    const body = { ...others, dataset_version: datasetVersion, git_commit: gitCommit, unique: unique || undefined };
    return this.#post("/api/experiments", { name, project }, body);
  }

  /** Returns the records of experiments, newest first. */
  list(): Promise<ExperimentRecord[]> {
    return this.#http.json("GET", "/api/experiments");
  }

  /** Compares experiments with the first of them, case by case and in sum. */
  compare(
    names: readonly string[],
    options: InProject & { readonly key?: string; readonly groupBy?: string; readonly cases?: number } = {},
  ): Promise<Comparison> {
    const { groupBy, ...others } = options;
    return this.#post("/api/experiments/compare", {}, { experiments: names, group_by: groupBy, ...others });
  }

  #post<T>(path: string, query: Record<string, string | undefined>, body: unknown): Promise<T> {
    const headers = { "Content-Type": "application/json" };
    return this.#http.json("POST", path, { query, headers, body: stringify(body) ?? "" });
  }
}
