/** Requests to one server: keys, retries, errors. Knows `fetch` only. */

import { TracestoreError } from "./errors.js";
import { parse } from "./json.js";

export const DEFAULT_URL = "http://127.0.0.1:4318";

/** Times that a request is sent to a server that is busy, over about half a minute. */
const TRIES = 6;
const FIRST_WAIT_MS = 300;
const MAX_WAIT_MS = 15_000;
const BUSY = new Set([429, 502, 503, 504]);

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ClientOptions {
  /** The server's base URL; default the environment's `TRACESTORE_URL`, else `http://127.0.0.1:4318`. */
  readonly url?: string | undefined;
  /** Sent as a bearer token; default the environment's `TRACESTORE_API_KEY`. */
  readonly apiKey?: string | undefined;
  /** Milliseconds that one request may take; default two minutes. */
  readonly timeoutMs?: number | undefined;
  /** In place of the global `fetch`. */
  readonly fetch?: Fetch | undefined;
}

export interface Sent {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal | undefined;
  /** Whether to send again where it is not known that the server heard it: it must not change twice what it changes. */
  readonly idempotent?: boolean;
  /** Whether it is sent once, whatever is answered: it costs each time. */
  readonly once?: boolean;
}

export class Http {
  readonly url: string;
  readonly #headers: Record<string, string>;
  readonly #timeoutMs: number;
  readonly #fetch: Fetch;

  constructor(options: ClientOptions) {
    const environment = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process?.env ?? {};
    this.url = (options.url || environment["TRACESTORE_URL"] || DEFAULT_URL).replace(/\/+$/, "");
    const key = options.apiKey || environment["TRACESTORE_API_KEY"];
    this.#headers = key ? { Authorization: `Bearer ${key}` } : {};
    this.#timeoutMs = options.timeoutMs ?? 120_000;
    this.#fetch = options.fetch ?? ((url, init) => fetch(url, init));
  }

  /** Returns the answer's JSON. */
  async json<T>(method: string, path: string, sent: Sent = {}): Promise<T> {
    const answer = await this.send(method, path, sent);
    return parse(await answer.text()) as T;
  }

  /** Returns an answer that is no error, its body unread; a server that is busy is asked again. */
  async send(method: string, path: string, sent: Sent = {}): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      let waitMs = Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
      try {
        const answer = await this.#once(method, path, sent);
        if (answer.ok) return answer;
        if (sent.once || attempt === TRIES || !BUSY.has(answer.status)) throw await refusal(answer);
        await answer.body?.cancel();
        waitMs = Math.max(waitMs, retryAfterMs(answer));
      } catch (error) {
        if (error instanceof TracestoreError || sent.signal?.aborted) throw error;
        const again = !sent.once && (sent.idempotent ?? method === "GET");
        if (attempt === TRIES || !again) {
          const cause = (error as { cause?: { message?: string } }).cause?.message ?? (error as Error).message;
          throw new TracestoreError(`cannot reach ${this.url}: ${cause}`, undefined, "start a server there (`tracestore serve`), or name another url", { cause: error });
        }
      }
      await waited(waitMs, sent.signal);
    }
  }

  async #once(method: string, path: string, sent: Sent): Promise<Response> {
    const query = Object.entries(sent.query ?? {}).filter((pair): pair is [string, string | number] => pair[1] !== undefined);
    const search = query.length ? `?${new URLSearchParams(query.map(([name, value]) => [name, String(value)]))}` : "";
    const bounded = AbortSignal.timeout(this.#timeoutMs);
    return this.#fetch(`${this.url}${path}${search}`, {
      method,
      headers: { ...this.#headers, ...sent.headers },
      body: (sent.body ?? null) as BodyInit | null,
      signal: sent.signal ? AbortSignal.any([sent.signal, bounded]) : bounded,
    });
  }
}

function retryAfterMs(answer: Response): number {
  const seconds = Number(answer.headers.get("retry-after"));
  return Number.isFinite(seconds) ? Math.min(seconds * 1000, MAX_WAIT_MS) : 0;
}

async function refusal(answer: Response): Promise<TracestoreError> {
  const text = await answer.text();
  try {
    const problem = JSON.parse(text) as { detail?: string; hint?: string };
    if (problem.detail) {
      const hint = problem.hint ?? undefined;
      return new TracestoreError(hint ? `${problem.detail}; ${hint}` : problem.detail, answer.status, hint);
    }
  } catch {
    // Not a problem document: what answered is no server of ours.
  }
  return new TracestoreError(`the server answered ${answer.status}: ${text.slice(0, 200)}`, answer.status);
}

function waited(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
