/** Ids of traces and spans. */

export interface SpanRef {
  readonly traceId: string;
  readonly spanId: string;
}

/** What names a span: our own or OpenTelemetry's, a row of a query, or a pair. */
export type SpanLike =
  | SpanRef
  | { readonly trace_id: string; readonly span_id: string }
  | readonly [traceId: string, spanId: string]
  | { spanContext(): SpanRef };

/** Returns random hex digits, not all of them zero: 16 bytes for a trace, 8 for a span. */
export function randomId(bytes: 8 | 16): string {
  const drawn = crypto.getRandomValues(new Uint8Array(bytes));
  drawn[0] ||= 1;
  return Array.from(drawn, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function idsOf(span: SpanLike): SpanRef {
  if ("spanContext" in span) return span.spanContext();
  if ("traceId" in span) return span;
  if ("trace_id" in span) return { traceId: span.trace_id, spanId: span.span_id };
  return { traceId: span[0], spanId: span[1] };
}
