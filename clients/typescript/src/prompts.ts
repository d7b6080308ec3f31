/** Prompts: versions and labels, rendered and run by the server. */

import type { InProject } from "./datasets.js";
import { TracestoreError } from "./errors.js";
import type { Http, Sent } from "./http.js";
import { parse, stringify } from "./json.js";

export interface PromptMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly [more: string]: unknown;
}

export interface PromptBody {
  readonly description?: string;
  readonly messages: readonly PromptMessage[];
  readonly template?: "mustache" | "none";
  readonly provider?: string;
  readonly model?: string;
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly tools?: readonly (string | { readonly name: string; readonly description?: string; readonly parameters?: object })[];
  readonly response_schema?: Readonly<Record<string, unknown>> | null;
  readonly max_turns?: number;
}

export interface PromptVersion {
  readonly version: number;
  readonly author: string | null;
  readonly created_ns: number | bigint;
  readonly labels: readonly string[];
}

export interface WhichVersion extends InProject {
  readonly version?: number | undefined;
  readonly label?: string | undefined;
}

export interface RunOptions {
  readonly expected?: unknown;
  readonly metadata?: unknown;
  /** In place of the prompt's own. */
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly parameters?: Readonly<Record<string, unknown>> | undefined;
  /** Puts the run's span below the caller's: a W3C `traceparent`. */
  readonly traceparent?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface PromptRun<Output = unknown> {
  readonly slug: string;
  readonly version: number;
  /** The text, or the value where the answer must meet a schema. */
  readonly output: Output;
  readonly message: PromptMessage;
  readonly messages: readonly PromptMessage[];
  readonly finish_reason: string | null;
  readonly usage: Readonly<Record<string, number>>;
  readonly cost: number | null;
  readonly seconds: number;
  readonly time_to_first_token: number | null;
  readonly turns: number;
  readonly trace_id: string;
  readonly span_id: string;
  readonly missing: readonly string[];
}

interface Told {
  readonly slug: string;
  readonly project: string;
  readonly version: number;
  readonly labels: Readonly<Record<string, number>>;
  readonly body: PromptBody;
}

/** A prompt as of one version. */
export class Prompt {
  readonly #http: Http;
  readonly slug: string;
  readonly project: string;
  readonly version: number;
  /** The versions that labels stand at. */
  readonly labels: Readonly<Record<string, number>>;
  readonly body: PromptBody;

  constructor(http: Http, told: Told) {
    this.#http = http;
    this.slug = told.slug;
    this.project = told.project;
    this.version = told.version;
    this.labels = told.labels;
    this.body = told.body;
  }

  /** Returns the messages of the prompt with values put in, as the server renders them; no model is asked. */
  async render(input?: unknown, options: Pick<RunOptions, "expected" | "metadata" | "signal"> = {}): Promise<PromptMessage[]> {
    const { signal, ...values } = options;
    const sent = this.#sent({ input, ...values }, {}, signal);
    const told = await this.#http.json<{ messages: PromptMessage[] }>("POST", this.#path("render"), { ...sent, idempotent: true });
    return told.messages;
  }

  /** Runs the prompt on the server, which asks the model and stores a span. */
  run<Output = unknown>(input?: unknown, options: RunOptions = {}): Promise<PromptRun<Output>> {
    return this.#http.json("POST", this.#path("run"), this.#asked(input, options, false));
  }

  /** Yields the parts of the answer's text as they come, and the whole run last. */
  async *stream(input?: unknown, options: RunOptions = {}): AsyncGenerator<string | PromptRun, void, undefined> {
    const answer = await this.#http.send("POST", this.#path("run"), this.#asked(input, options, true));
    for await (const [name, data] of events(answer)) {
      if (name === "delta") yield (data as { text: string }).text;
      else if (name === "done") yield data as PromptRun;
      else if (name === "problem") {
        const { detail, hint } = data as { detail: string; hint?: string | null };
        throw new TracestoreError(hint ? `${detail}; ${hint}` : detail, 502, hint ?? undefined);
      }
    }
  }

  #asked(input: unknown, options: RunOptions, stream: boolean): Sent {
    const { traceparent, signal, ...others } = options;
    const sent = this.#sent({ input, ...others, stream: stream || undefined }, traceparent ? { traceparent } : {}, signal);
    // The server has asked the provider again already, as far as that helps.
    return { ...sent, once: true };
  }

  #sent(body: object, headers: Record<string, string>, signal: AbortSignal | undefined): Sent {
    return {
      query: { project: this.project },
      headers: { "Content-Type": "application/json", ...headers },
      body: stringify({ ...body, version: this.version }) ?? "",
      signal,
    };
  }

  #path(verb: string): string {
    return `/api/prompts/${encodeURIComponent(this.slug)}/${verb}`;
  }
}

export class Prompts {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** Returns the newest versions of prompts. */
  async list({ project }: InProject = {}): Promise<Prompt[]> {
    const told = await this.#http.json<Told[]>("GET", "/api/prompts", { query: { project } });
    return told.map((each) => new Prompt(this.#http, each));
  }

  /** Returns a prompt as of a version or a label, by default its newest version. */
  get(slug: string, which: WhichVersion = {}): Promise<Prompt> {
    const { project, version, label } = which;
    return this.#prompt("GET", path(slug), { query: { project, version, label } });
  }

  /** Saves a new prompt; refused with status 409 where the slug is taken. */
  create(slug: string, body: PromptBody, { project }: InProject = {}): Promise<Prompt> {
    return this.#prompt("POST", "/api/prompts", written({ project }, { slug, body }));
  }

  /** Saves a new version; refused with status 409 where `version` is not the newest. */
  save(slug: string, body: PromptBody, options: InProject & { readonly version: number }): Promise<Prompt> {
    const { project, version } = options;
    return this.#prompt("PUT", path(slug), written({ project }, { version, body }));
  }

  /** Returns the versions that are kept, newest first, with their labels. */
  versions(slug: string, { project }: InProject = {}): Promise<PromptVersion[]> {
    return this.#http.json("GET", `${path(slug)}/versions`, { query: { project } });
  }

  /** Moves a label to a version: who asks for the label gets that one from now on. */
  label(slug: string, label: string, version: number, { project }: InProject = {}): Promise<Prompt> {
    return this.#prompt("PUT", `${path(slug)}/labels/${encodeURIComponent(label)}`, written({ project }, { version }));
  }

  /** Deletes a prompt with every version, whose newest one was seen. */
  async delete(slug: string, options: InProject & { readonly version: number }): Promise<void> {
    const { project, version } = options;
    await this.#http.json("DELETE", path(slug), { query: { project, version } });
  }

  async #prompt(method: string, where: string, sent: Sent): Promise<Prompt> {
    return new Prompt(this.#http, await this.#http.json<Told>(method, where, sent));
  }
}

function path(slug: string): string {
  return `/api/prompts/${encodeURIComponent(slug)}`;
}

function written(query: Record<string, string | undefined>, body: object): Sent {
  return { query, headers: { "Content-Type": "application/json" }, body: stringify(body) ?? "" };
}

async function* events(answer: Response): AsyncGenerator<[string, unknown], void, undefined> {
  if (!answer.body) return;
  let name = "";
  let rest = "";
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith("event: ")) name = line.slice(7);
        else if (line.startsWith("data: ")) yield [name, parse(line.slice(6))];
      }
    }
  } finally {
    await reader.cancel();
  }
}
