/** One call at the start of an application: from then on spans are sent. */

import { Client } from "./client.js";
import { said } from "./errors.js";
import { Exporter } from "./exporter.js";
import type { ClientOptions } from "./http.js";
import { sendSpansTo, spanProcessor } from "./spans.js";

export interface InitOptions extends ClientOptions {
  readonly client?: Client;
  readonly project?: string;
  /** The service's name; default the environment's `OTEL_SERVICE_NAME`. */
  readonly service?: string;
}

export interface Tracing {
  /** For OpenTelemetry's SDK: `new NodeTracerProvider({ spanProcessors: [tracing.spanProcessor] })`. */
  readonly spanProcessor: typeof spanProcessor;
  /** Returns when every span that has ended is stored; rejects with what went wrong since the last time. */
  flush(): Promise<void>;
  /** Sends what is left, and no span after it. */
  shutdown(): Promise<void>;
}

export function init(options: InitOptions = {}): Tracing {
  const client = options.client ?? new Client(options);
  const exporter = new Exporter(client, { project: options.project }, true);
  sendSpansTo(exporter, options.service ?? process.env["OTEL_SERVICE_NAME"] ?? "unknown_service:node");
  const last = (): void => void exporter.flush();
  process.once("beforeExit", last);
  const flush = async (): Promise<void> => {
    await exporter.flush();
    const [first] = exporter.errors.splice(0);
    if (first !== undefined) throw new Error(`cannot store spans: ${said(first)}`, { cause: first });
  };
  return {
    spanProcessor,
    flush,
    shutdown: () => {
      process.removeListener("beforeExit", last);
      sendSpansTo(undefined, "");
      return flush();
    },
  };
}
