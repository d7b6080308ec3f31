/** One SQL statement: awaited it is an answer, iterated it is a stream of rows. */

import type { Http } from "./http.js";
import { parse, stringify } from "./json.js";

export interface Column {
  readonly name: string;
  /** The engine's type, e.g. BIGINT or JSON. */
  readonly type: string;
}

export interface Answer<Row> {
  readonly rows: Row[];
  readonly columns: Column[];
  /** What a reader should know. */
  readonly warnings: string[];
  readonly stats: Record<string, number>;
}

export type Parameters = Readonly<Record<string, unknown>> | readonly unknown[];

export interface QueryOptions {
  readonly signal?: AbortSignal | undefined;
  /** Cuts the answer, with a warning. */
  readonly maxRows?: number | undefined;
  readonly project?: string | undefined;
  /** Milliseconds that the statement may run. */
  readonly timeoutMs?: number | undefined;
}

interface Document {
  columns: Column[];
  rows: unknown[][];
  warnings: string[];
  stats: Record<string, number>;
}

/** Nothing is sent before it is awaited or iterated; each of these sends it once more. */
export class Query<Row> implements PromiseLike<Answer<Row>>, AsyncIterable<Row> {
  readonly #http: Http;
  readonly #body: string;
  readonly #signal: AbortSignal | undefined;

  constructor(http: Http, sql: string, params: Parameters | undefined, options: QueryOptions) {
    this.#http = http;
    this.#signal = options.signal;
    const asked = {
      sql,
      params,
      max_rows: options.maxRows,
      project: options.project,
      timeout_s: options.timeoutMs === undefined ? undefined : options.timeoutMs / 1000,
    };
    this.#body = stringify(asked) ?? "";
  }

  then<A = Answer<Row>, B = never>(
    fulfilled?: ((answer: Answer<Row>) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#answer().then(fulfilled, rejected);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Row, void, undefined> {
    const answer = await this.#send("application/x-ndjson");
    if (answer.body === null) return;
    const reader = answer.body.getReader();
    const decoder = new TextDecoder();
    let rest = "";
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
        rest = lines.pop() ?? "";
        for (const line of lines) yield parse(line) as Row;
      }
      if (rest) yield parse(rest) as Row;
    } finally {
      // A loop that is left early ends the statement at the server.
      await reader.cancel().catch(() => undefined);
    }
  }

  async #answer(): Promise<Answer<Row>> {
    const answer = await this.#send("application/json");
    const { columns, rows, warnings, stats } = parse(await answer.text()) as Document;
    const names = columns.map((column) => column.name);
    const named = rows.map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i]])) as Row);
    return { rows: named, columns, warnings, stats };
  }

  #send(accept: string): Promise<Response> {
    const headers = { "Content-Type": "application/json", Accept: accept };
    return this.#http.send("POST", "/api/query", { body: this.#body, headers, signal: this.#signal, idempotent: true });
  }
}
