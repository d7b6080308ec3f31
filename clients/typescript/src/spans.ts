/** Spans of an application: made around functions, nested by the asynchronous context, joined with OpenTelemetry's. */

import { AsyncLocalStorage } from "node:async_hooks";

import { said } from "./errors.js";
import { randomId, type SpanRef } from "./ids.js";
import { activeSpan, type ReadableSpan, underParent } from "./otel.js";
import { attributesOf, fromReadable, type SpanData } from "./otlp.js";

/** What takes spans that have ended. */
export interface Sink {
  add(span: SpanData): void;
}

export interface SpanFields {
  readonly type?: string | undefined;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly expected?: unknown;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly metrics?: Readonly<Record<string, number>> | undefined;
  readonly scores?: Readonly<Record<string, unknown>> | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly [more: string]: unknown;
}

interface Place {
  readonly span: Span;
  readonly sink: Sink | undefined;
  /** `scorer` for spans whose tokens do not count as the task's. */
  readonly purpose: string | undefined;
}

const places = new AsyncLocalStorage<Place>();
const sinksByTrace = new Map<string, Sink>();
let defaultSink: Sink | undefined;
let resource: Readonly<Record<string, unknown>> = {};

/** Says where spans go that belong to no eval, and which service makes them. */
export function sendSpansTo(sink: Sink | undefined, service: string): void {
  defaultSink = sink;
  resource = { "service.name": service };
}

/** A span under way. */
export class Span implements SpanRef {
  readonly traceId: string;
  readonly spanId = randomId(8);
  readonly #parentSpanId: string | undefined;
  readonly #startNs = now();
  readonly #events: { name: string; timeNs: bigint; attributes: Record<string, unknown> }[] = [];
  readonly #attributes: Record<string, unknown>;
  #error: string | undefined;
  #ended = false;

  constructor(
    readonly name: string,
    fields: SpanFields,
    parent: SpanRef | undefined,
  ) {
    this.traceId = parent?.traceId ?? randomId(16);
    this.#parentSpanId = parent?.spanId;
    this.#attributes = attributesOf(fields);
  }

  /** Sets fields: a later value replaces an earlier one. */
  set(fields: SpanFields): this {
    Object.assign(this.#attributes, attributesOf(fields));
    return this;
  }

  /** Sets an attribute as it is, under its own name. */
  setAttribute(name: string, value: unknown): this {
    this.#attributes[name] = value;
    return this;
  }

  /** Notes that what the span is of has failed. */
  fail(error: unknown): this {
    const message = said(error);
    const known = error instanceof Error ? { "exception.type": error.name, "exception.stacktrace": error.stack } : {};
    this.#events.push({ name: "exception", timeNs: now(), attributes: { ...known, "exception.message": message } });
    this.#error = message;
    return this.set({ error: { message } });
  }

  /** Notes a failure that was told of by a span below. */
  failedBelow(message: string): this {
    this.#error = message;
    return this.set({ error: { message } });
  }

  /** Ends the span; returns undefined the second time. */
  end(service: Readonly<Record<string, unknown>>): SpanData | undefined {
    if (this.#ended) return undefined;
    this.#ended = true;
    const { traceId, spanId, name } = this;
    const times = { startNs: this.#startNs, endNs: now() };
    const made = { attributes: this.#attributes, events: this.#events, links: [], error: this.#error };
    const scope = { name: "tracestore" };
    return { traceId, spanId, parentSpanId: this.#parentSpanId, name, kind: 1, ...times, ...made, resource: service, scope };
  }
}

/** Returns the span that is current here, undefined where none of ours is. */
export function currentSpan(): Span | undefined {
  return places.getStore()?.span;
}

export interface Run {
  /** Whether the span begins a trace of its own. */
  readonly root?: boolean;
  readonly sink?: Sink;
  readonly purpose?: string | undefined;
  readonly service?: string;
}

/** Calls a function inside a span, which ends when its promise does. */
export async function inSpan<T>(name: string, fields: SpanFields, call: (span: Span) => T | Promise<T>, run: Run = {}): Promise<T> {
  const around = run.root ? undefined : places.getStore();
  const purpose = run.purpose ?? around?.purpose;
  const span = new Span(name, { ...fields, purpose }, run.root ? undefined : parentOf(around));
  const sink = run.sink ?? around?.sink ?? sinksByTrace.get(span.traceId) ?? defaultSink;
  const service = run.service === undefined ? resource : { "service.name": run.service };
  try {
    return await places.run({ span, sink, purpose }, () => underParent(span, () => call(span)));
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    const ended = span.end(service);
    if (ended) sink?.add(ended);
  }
}

/** Returns the innermost span: OpenTelemetry's where it was made inside of ours or there is none of ours. */
function parentOf(around: Place | undefined): SpanRef | undefined {
  return activeSpan() ?? around?.span;
}

export interface TracedOptions extends SpanFields {
  /** The span's name; default the function's. */
  readonly name?: string;
  /** Whether arguments and result are stored as input and output; default true. */
  readonly payloads?: boolean;
}

/** Returns a function that does the same inside a span; what it calls is nested below. */
export function traced<A extends unknown[], R>(
  call: (...values: A) => R | Promise<R>,
  { name, payloads = true, ...fields }: TracedOptions = {},
): (...values: A) => Promise<R> {
  return (...values) => {
    const input = payloads ? (values.length > 1 ? values : values[0]) : undefined;
    return inSpan(name ?? (call.name || "function"), { input, ...fields }, async (span) => {
      const output = await call(...values);
      if (payloads) span.set({ output });
      return output;
    });
  };
}

/** Sends the spans of a trace to a sink of its own, those of OpenTelemetry's SDK too. */
export function claimTrace(traceId: string, sink: Sink): void {
  sinksByTrace.set(traceId, sink);
}

export function releaseTrace(traceId: string): void {
  sinksByTrace.delete(traceId);
}

/**
 * A span processor for OpenTelemetry's SDK: spans of its instrumentations go where ours go, those made while a case of
 * an eval runs to its experiment. Add it to the tracer provider.
 */
export const spanProcessor = {
  onStart(span: { setAttribute?(name: string, value: string): unknown }): void {
    const purpose = places.getStore()?.purpose;
    if (purpose !== undefined) span.setAttribute?.("tracestore.purpose", purpose);
  },
  onEnd(span: ReadableSpan): void {
    (sinksByTrace.get(span.spanContext().traceId) ?? defaultSink)?.add(fromReadable(span));
  },
  forceFlush: (): Promise<void> => Promise.resolve(),
  shutdown: (): Promise<void> => Promise.resolve(),
};

function now(): bigint {
  const milliseconds = performance.timeOrigin + performance.now();
  const whole = Math.floor(milliseconds);
  return BigInt(whole) * 1_000_000n + BigInt(Math.floor((milliseconds - whole) * 1e6));
}
