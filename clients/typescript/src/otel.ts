/** The parts of `@opentelemetry/api` and its SDK that are used where they are present; none of them is needed. */

import type { SpanRef } from "./ids.js";

export interface OtelSpan {
  spanContext(): SpanRef & { traceFlags: number };
}

interface Api {
  readonly ROOT_CONTEXT: unknown;
  readonly context: {
    active(): unknown;
    with<T>(context: unknown, call: () => T): T;
  };
  readonly trace: {
    getActiveSpan(): OtelSpan | undefined;
    setSpan(context: unknown, span: unknown): unknown;
    wrapSpanContext(context: SpanRef & { traceFlags: number }): unknown;
  };
}

// Not a literal, so that a bundler leaves it alone where the package is missing.
const PACKAGE = "@opentelemetry/api";

const api: Api | undefined = await import(PACKAGE).then(
  (found: Api) => found,
  () => undefined,
);

/** Returns the ids of OpenTelemetry's active span, undefined where there is none. */
export function activeSpan(): SpanRef | undefined {
  const active = api?.trace.getActiveSpan()?.spanContext();
  return active && { traceId: active.traceId, spanId: active.spanId };
}

/** Calls a function while spans that OpenTelemetry makes have the given parent. */
export function underParent<T>(parent: SpanRef, call: () => T): T {
  if (api === undefined) return call();
  const wrapped = api.trace.wrapSpanContext({ ...parent, traceFlags: 1 });
  return api.context.with(api.trace.setSpan(api.context.active(), wrapped), call);
}

export type HrTime = readonly [seconds: number, nanoseconds: number];

/** A span of OpenTelemetry's SDK that has ended, of either major version. */
export interface ReadableSpan extends OtelSpan {
  readonly name: string;
  readonly kind: number;
  readonly parentSpanContext?: SpanRef | undefined;
  readonly parentSpanId?: string | undefined;
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly status: { readonly code: number; readonly message?: string | undefined };
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string; readonly time: HrTime; readonly attributes?: Readonly<Record<string, unknown>> | undefined }[];
  readonly links: readonly { readonly context: SpanRef; readonly attributes?: Readonly<Record<string, unknown>> | undefined }[];
  readonly resource: { readonly attributes: Readonly<Record<string, unknown>> };
  readonly instrumentationScope?: { readonly name: string; readonly version?: string | undefined } | undefined;
  readonly instrumentationLibrary?: { readonly name: string; readonly version?: string | undefined } | undefined;
}
