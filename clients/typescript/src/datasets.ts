/** Datasets: versioned rows. */

import { TracestoreError } from "./errors.js";
import type { Http } from "./http.js";
import { stringify } from "./json.js";
import type { Parameters, Query } from "./query.js";
import { batches } from "./rows.js";

export interface DatasetRow {
  readonly id?: string | number | undefined;
  readonly input?: unknown;
  readonly expected?: unknown;
  readonly metadata?: unknown;
  readonly tags?: unknown;
  readonly origin?: unknown;
}

export interface DatasetReport {
  version: number;
  rows: number;
  added: number;
  updated: number;
  deleted: number;
  unchanged: number;
}

export interface InProject {
  readonly project?: string | undefined;
}

type Sql = (text: string, params: Parameters) => Query<DatasetRow & { id: string }>;

export class Datasets {
  readonly #http: Http;
  readonly #sql: Sql;

  constructor(http: Http, sql: Sql) {
    this.#http = http;
    this.#sql = sql;
  }

  /** Returns datasets with their versions and snapshots. */
  list(name?: string): Promise<Record<string, unknown>[]> {
    return this.#http.json("GET", "/api/datasets", { query: { name } });
  }

  /** Adds rows, or the rows of a query's answer; rows beyond some megabytes become several versions. */
  add(
    name: string,
    rows: Iterable<DatasetRow> | AsyncIterable<DatasetRow> | { readonly sql: string; readonly params?: Parameters },
    { project }: InProject = {},
  ): Promise<DatasetReport> {
    if ("sql" in rows) return this.#post("/api/datasets/query", name, project, { sql: rows.sql, params: rows.params });
    return this.#rows("/api/datasets/rows", name, project, rows);
  }

  /** Changes fields of rows that are there, by `id`. */
  update(name: string, rows: Iterable<DatasetRow> | AsyncIterable<DatasetRow>, { project }: InProject = {}): Promise<DatasetReport> {
    return this.#rows("/api/datasets/update", name, project, rows);
  }

  /** Deletes rows by id, from a new version on. */
  delete(name: string, ids: Iterable<string | number>, { project }: InProject = {}): Promise<DatasetReport> {
    return this.#post("/api/datasets/delete", name, project, { ids: Array.from(ids, String) });
  }

  /** Gives a version (default the newest) a name that stays with it; returns the version. */
  async snapshot(name: string, snapshot: string, { project, version }: InProject & { readonly version?: number } = {}): Promise<number> {
    const answer = await this.#post<{ version: number }>("/api/datasets/snapshots", name, project, { snapshot, version });
    return answer.version;
  }

  /** Removes a dataset with every version, for good; returns the stored revisions that went. */
  async drop(name: string, { project }: InProject = {}): Promise<number> {
    const answer = await this.#http.json<{ revisions: number }>("DELETE", "/api/datasets", { query: { name, project } });
    return answer.revisions;
  }

  /** Yields the rows as of a version or snapshot (default the newest), in the order in which they were added. */
  get(name: string, { project, version }: InProject & { readonly version?: number | string | undefined } = {}): Query<DatasetRow & { id: string }> {
    const at = version === undefined ? "NULL" : typeof version === "number" ? String(Math.trunc(version)) : quoted(version);
    const owner = project === undefined ? "" : `, ${quoted(project)}`;
    return this.#sql(
      `SELECT id, input, expected, metadata, tags, origin FROM dataset(${quoted(name)}, ${at}${owner}) ORDER BY created_ns`,
      [],
    );
  }

  async #rows(path: string, name: string, project: string | undefined, rows: Iterable<DatasetRow> | AsyncIterable<DatasetRow>): Promise<DatasetReport> {
    let total: DatasetReport | undefined;
    for await (const { body } of batches(rows)) {
      const headers = { "Content-Type": "application/x-ndjson" };
      const report = await this.#http.json<DatasetReport>("POST", path, { query: { name, project }, headers, body });
      for (const count of ["added", "updated", "deleted", "unchanged"] as const) report[count] += total?.[count] ?? 0;
      total = report;
    }
    if (total === undefined) throw new TracestoreError(`cannot change dataset ${name}: there is no row`);
    return total;
  }

  #post<T = DatasetReport>(path: string, name: string, project: string | undefined, body: unknown): Promise<T> {
    const headers = { "Content-Type": "application/json" };
    return this.#http.json("POST", path, { query: { name, project }, headers, body: stringify(body) ?? "" });
  }
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
