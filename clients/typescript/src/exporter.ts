/** Spans on their way to the server: gathered, sent in batches, bounded in memory. */

import type { Client, InsertOptions } from "./client.js";
import { otlpRequest, type SpanData } from "./otlp.js";
import type { Sink } from "./spans.js";

/** Spans that wait; beyond it the newest are dropped and counted. */
const MAX_WAITING = 10_000;
const BATCH_SPANS = 500;
const WAIT_MS = 1000;

export class Exporter implements Sink {
  readonly errors: unknown[] = [];
  dropped = 0;
  readonly #client: Client;
  readonly #where: InsertOptions;
  readonly #bounded: boolean;
  #waiting: SpanData[] = [];
  #sending: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;

  /** @param bounded whether spans may be dropped: an application must go on, an eval must be stored whole */
  constructor(client: Client, where: InsertOptions, bounded: boolean) {
    this.#client = client;
    this.#where = where;
    this.#bounded = bounded;
  }

  add(span: SpanData): void {
    if (this.#bounded && this.#waiting.length >= MAX_WAITING) {
      this.dropped += 1;
      return;
    }
    this.#waiting.push(span);
    if (this.#waiting.length >= BATCH_SPANS) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), WAIT_MS).unref();
  }

  /** Returns when all spans that were added before are sent, or failed. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending = this.#sending.then(() => this.#send());
    return this.#sending;
  }

  async #send(): Promise<void> {
    while (this.#waiting.length) {
      const batch = this.#waiting.splice(0, BATCH_SPANS);
      try {
        await this.#client.sendOtlp("traces", otlpRequest(batch), this.#where);
      } catch (error) {
        this.errors.push(error);
      }
    }
  }
}
