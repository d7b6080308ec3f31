/** The store's verbs over HTTP. Runs wherever `fetch` does, browsers included. */

import { Datasets, type InProject } from "./datasets.js";
import { Experiments } from "./experiments.js";
import { type ClientOptions, Http } from "./http.js";
import { idsOf, randomId, type SpanLike } from "./ids.js";
import { stringify } from "./json.js";
import { Prompts } from "./prompts.js";
import { type Parameters, Query, type QueryOptions } from "./query.js";
import { batches } from "./rows.js";

/** Patches sent in one request, which are stored together or not at all. */
const PATCHES_A_REQUEST = 5000;

export interface InsertOptions extends InProject {
  readonly experiment?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface InsertReport {
  rows: number;
  /** Copies of spans that were stored before. */
  duplicates: number;
  /** Later versions of spans that were stored before; the last one counts. */
  replaced: number;
  rejected_rows: number;
  /** The first rows that were refused; `row` counts over all that were given. */
  rejected: { row: number; offset: number; reason: string }[];
}

export interface Patch {
  readonly trace_id: string;
  readonly span_id: string;
  readonly [field: string]: unknown;
}

export interface FeedbackOptions extends InProject {
  readonly comment?: string | undefined;
  readonly author?: string | undefined;
}

export class Client {
  readonly #http: Http;
  readonly datasets: Datasets;
  readonly experiments: Experiments;
  /** Versioned prompts, which the server runs. */
  readonly prompts: Prompts;

  constructor(options: ClientOptions = {}) {
    this.#http = new Http(options);
    this.datasets = new Datasets(this.#http, (text, params) => this.sql(text, params, { timeoutMs: 600_000 }));
    this.experiments = new Experiments(this.#http);
    this.prompts = new Prompts(this.#http);
  }

  /** The server's base URL. */
  get url(): string {
    return this.#http.url;
  }

  /**
   * Asks one SQL statement. Awaited it gives `{rows, columns, warnings}`; `for await` gives rows as they come.
   * Integers beyond 2^53 are bigint.
   */
  sql<Row = Record<string, unknown>>(text: string, params?: Parameters, options: QueryOptions = {}): Query<Row> {
    return new Query<Row>(this.#http, text, params, options);
  }

  /** Stores rows in batches, as they come. Spans without ids get them here, so that one sent twice is stored once. */
  async insert(
    table: "spans" | "logs",
    rows: Iterable<object> | AsyncIterable<object>,
    options: InsertOptions = {},
  ): Promise<InsertReport> {
    const total: InsertReport = { rows: 0, duplicates: 0, replaced: 0, rejected_rows: 0, rejected: [] };
    const query = { table, project: options.project, experiment: options.experiment };
    const headers = { "Content-Type": "application/x-ndjson" };
    const idempotent = table === "spans";
    let before = 0;
    for await (const batch of batches(idempotent ? withIds(rows) : rows)) {
      const sent = { query, headers, body: batch.body, signal: options.signal, idempotent };
      const report = await this.#http.json<InsertReport>("POST", "/api/import", sent);
      total.rows += report.rows;
      total.duplicates += report.duplicates;
      total.replaced += report.replaced;
      total.rejected_rows += report.rejected_rows;
      total.rejected.push(...report.rejected.map((each) => ({ ...each, row: each.row + before })));
      before += batch.rows;
    }
    return total;
  }

  /** Changes scores, metadata, metrics, tags and expected of spans; returns the number of patches. */
  async patch(patches: Patch | Iterable<Patch>, { project }: InProject = {}): Promise<number> {
    const given = Symbol.iterator in patches ? Array.from(patches as Iterable<Patch>) : [patches];
    const headers = { "Content-Type": "application/json" };
    for (let start = 0; start < given.length; start += PATCHES_A_REQUEST) {
      const body = stringify({ patches: given.slice(start, start + PATCHES_A_REQUEST) }) ?? "";
      await this.#http.json("POST", "/api/patch", { query: { project }, headers, body });
    }
    return given.length;
  }

  /** Gives a span a score, in place of one of that name; null takes it away. */
  async score(span: SpanLike, name: string, value: number | boolean | null, options: FeedbackOptions = {}): Promise<void> {
    await this.#feedback(span, { scores: { [name]: value }, comment: options.comment, author: options.author }, options);
  }

  /** Adds tags to a span; those it has stay. */
  async tag(span: SpanLike, tags: readonly string[], options: InProject = {}): Promise<void> {
    await this.#feedback(span, { tags }, options);
  }

  /** Adds a comment to a span's `metadata.comments`. */
  async comment(span: SpanLike, text: string, options: Omit<FeedbackOptions, "comment"> = {}): Promise<void> {
    await this.#feedback(span, { comment: text, author: options.author }, options);
  }

  /** Says what a span should have given, in place of what was said before. */
  async expected(span: SpanLike, value: unknown, options: InProject = {}): Promise<void> {
    await this.#feedback(span, { expected: value }, options);
  }

  /** Sends one request of OTLP's JSON as it is. Spans that were stored before are stored once. */
  async sendOtlp(signal: "traces" | "logs", body: string, { project, experiment }: InsertOptions = {}): Promise<void> {
    const headers: Record<string, string> = { "Content-Type": "application/json" };
    if (project !== undefined) headers["x-tracestore-project"] = project;
    if (experiment !== undefined) headers["x-tracestore-experiment"] = experiment;
    const answer = await this.#http.send("POST", `/v1/${signal}`, { headers, body, idempotent: true });
    await answer.body?.cancel();
  }

  async #feedback(span: SpanLike, change: object, options: InProject): Promise<void> {
    const { traceId, spanId } = idsOf(span);
    await this.patch({ trace_id: traceId, span_id: spanId, ...change }, options);
  }
}

async function* withIds(rows: Iterable<object> | AsyncIterable<object>): AsyncGenerator<object, void, undefined> {
  for await (const row of rows) {
    const ids = row as { trace_id?: unknown; span_id?: unknown };
    yield ids.trace_id && ids.span_id
      ? row
      : { ...row, trace_id: ids.trace_id || randomId(16), span_id: ids.span_id || randomId(8) };
  }
}
