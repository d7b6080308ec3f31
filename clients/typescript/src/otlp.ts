/** Spans as OTLP's JSON. */

import type { SpanRef } from "./ids.js";
import { stringify } from "./json.js";
import type { HrTime, ReadableSpan } from "./otel.js";

/** A span that has ended, in OTLP's terms; times are nanoseconds since 1970. */
export interface SpanData extends SpanRef {
  readonly parentSpanId?: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { name: string; timeNs: bigint; attributes: Readonly<Record<string, unknown>> }[];
  readonly links: readonly { context: SpanRef; attributes: Readonly<Record<string, unknown>> }[];
  readonly error?: string | undefined;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: { readonly name: string; readonly version?: string | undefined };
}

/** Names that are no JSON: text as it is. */
const PLAIN = new Set(["type", "row_id", "purpose"]);

/** Returns fields of a span as attributes `tracestore.<name>`, each its JSON; what is null is left out. */
export function attributesOf(fields: Readonly<Record<string, unknown>>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || value === null) continue;
    const text = PLAIN.has(name) ? String(value) : written(value);
    if (text !== undefined) found[`tracestore.${name}`] = text;
  }
  return found;
}

/** Returns a value's JSON; what has none, such as a circle of objects, as the text that it prints. */
export function written(value: unknown): string | undefined {
  try {
    return stringify(value);
  } catch {
    return JSON.stringify(String(value));
  }
}

/** Returns one export request of spans; those of one resource and scope stand together. */
export function otlpRequest(spans: readonly SpanData[]): string {
  const groups = new Map<string, SpanData[]>();
  for (const span of spans) {
    const key = JSON.stringify([written(span.resource), span.scope]);
    const group = groups.get(key);
    if (group) group.push(span);
    else groups.set(key, [span]);
  }
  const resourceSpans = Array.from(groups.values(), (group) => ({
    resource: { attributes: keyValues(group[0]?.resource ?? {}) },
    scopeSpans: [{ scope: group[0]?.scope, spans: group.map(otlpSpan) }],
  }));
  return JSON.stringify({ resourceSpans });
}

function otlpSpan(span: SpanData): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId,
    name: span.name,
    kind: span.kind,
    startTimeUnixNano: String(span.startNs),
    endTimeUnixNano: String(span.endNs),
    attributes: keyValues(span.attributes),
    events: span.events.map((event) => ({
      name: event.name,
      timeUnixNano: String(event.timeNs),
      attributes: keyValues(event.attributes),
    })),
    links: span.links.map((link) => ({ ...link.context, attributes: keyValues(link.attributes) })),
    status: span.error === undefined ? {} : { code: 2, message: span.error },
  };
}

function keyValues(attributes: Readonly<Record<string, unknown>>): object[] {
  return Object.entries(attributes)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: unknown): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "bigint") return { intValue: String(value) };
  if (typeof value === "number") return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.filter((item) => item !== null).map(anyValue) } };
  return { stringValue: written(value) ?? "" };
}

export function fromReadable(span: ReadableSpan): SpanData {
  const { traceId, spanId } = span.spanContext();
  const scope = span.instrumentationScope ?? span.instrumentationLibrary ?? { name: "" };
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? span.parentSpanId,
    name: span.name,
    // OTLP counts kinds from 1, the API from 0.
    kind: span.kind + 1,
    startNs: nanoseconds(span.startTime),
    endNs: nanoseconds(span.endTime),
    attributes: span.attributes,
    events: span.events.map((event) => ({ name: event.name, timeNs: nanoseconds(event.time), attributes: event.attributes ?? {} })),
    links: span.links.map(({ context, attributes }) => ({
      context: { traceId: context.traceId, spanId: context.spanId },
      attributes: attributes ?? {},
    })),
    error: span.status.code === 2 ? (span.status.message ?? "") : undefined,
    resource: span.resource.attributes,
    scope: { name: scope.name, version: scope.version },
  };
}

function nanoseconds([seconds, rest]: HrTime): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(rest);
}
