import { Bool, Dictionary, FixedSizeBinary, Float64, Int32, Schema, Table, tableToIPC, Utf8, vectorFromArray, type Vector } from "apache-arrow";
import { expect, test } from "vitest";
import { ownTime } from "../src/pages/trace/by_name";
import { criticalPath, shownRows } from "../src/pages/trace/lines";
import { decode } from "../src/pages/trace/waterfall";

interface Span {
  depth: number;
  parent: number;
  name?: string;
  start?: number;
  duration?: number;
  tokens?: number | null;
  failed?: boolean;
}

/** Returns a trace as the server sends it. */
function sent(spans: Span[]) {
  const words = (values: string[]) => vectorFromArray(values, new Dictionary(new Utf8(), new Int32()));
  const numbers = (values: (number | null)[]) => vectorFromArray(values, new Float64());
  const columns: Record<string, Vector> = {
    id: vectorFromArray(spans.map((_, i) => new Uint8Array([0xab, 0, 0, 0, 0, 0, i >> 8, i & 255])), new FixedSizeBinary(8)),
    depth: vectorFromArray(spans.map((span) => span.depth), new Int32()),
    parent: vectorFromArray(spans.map((span) => span.parent), new Int32()),
    name: words(spans.map((span) => span.name ?? "step")),
    type: words(spans.map(() => "tool")),
    start: numbers(spans.map((span) => span.start ?? 0)),
    duration: numbers(spans.map((span) => span.duration ?? 10)),
    failed: vectorFromArray(spans.map((span) => span.failed ?? false), new Bool()),
    tokens: numbers(spans.map((span) => span.tokens ?? null)),
    cost: numbers(spans.map(() => null)),
  };
  const table = new Table(columns);
  const schema = new Schema(table.schema.fields, new Map([["start_ns", "1790000000000000000"]]));
  return decode(tableToIPC(new Table(schema, table.batches), "stream"));
}

const family = (): Span[] => [
  { depth: 0, parent: -1, name: "root", start: 0, duration: 100 },
  { depth: 1, parent: 0, name: "a", start: 10, duration: 30, tokens: 5 },
  { depth: 1, parent: 0, name: "b", start: 20, duration: 40, failed: true },
  { depth: 2, parent: 2, name: "c", start: 50, duration: 90, tokens: 7 },
];

test("a trace is read from the bytes as the server ordered it", () => {
  const trace = sent(family());
  expect(trace.count).toBe(4);
  expect(trace.totalNs).toBe(140);
  expect([...trace.end]).toEqual([4, 2, 4, 4]);
  expect(trace.errors).toBe(1);
  expect(trace.tokenSum).toBe(12);
  expect(trace.tokens[0]).toBeNaN();
  expect([0, 1, 2, 3].map(trace.name)).toEqual(["root", "a", "b", "c"]);
  expect(trace.id(3)).toBe("ab00000000000003");
  expect(trace.rowOf("ab00000000000003")).toBe(3);
  expect(trace.rowOf("ab00000000000004")).toBe(-1);
  expect(trace.rowOf("no id")).toBe(-1);
});

test("own time is what no child covers, and children that run at once cover it once", () => {
  // a and b cover 10 to 60; of c only what lies within b counts.
  expect([...ownTime(sent(family()))]).toEqual([50, 30, 30, 90]);
});

test("many siblings alike become one line until it is opened, and what lies below a closed row is hidden", () => {
  const spans: Span[] = [{ depth: 0, parent: -1, name: "root" }, ...Array.from({ length: 8 }, () => ({ depth: 1, parent: 0, name: "again" })), { depth: 1, parent: 0, name: "other" }];
  const trace = sent(spans);
  const none = new Set<number>();
  expect(shownRows(trace, none, none, null)).toEqual([{ row: 0, many: 1 }, { row: 1, many: 8 }, { row: 9, many: 1 }]);
  expect(shownRows(trace, none, new Set([1]), null).length).toBe(10);
  expect(shownRows(trace, new Set([0]), none, null)).toEqual([{ row: 0, many: 1 }]);
  expect(shownRows(trace, none, none, Uint8Array.from(spans.map((_, i) => (i === 0 || i === 4 ? 1 : 0))))).toEqual([{ row: 0, many: 1 }, { row: 4, many: 1 }]);
});

test("the critical path goes back from the end", () => {
  const trace = sent([
    { depth: 0, parent: -1, start: 0, duration: 100 },
    { depth: 1, parent: 0, start: 0, duration: 40 },
    { depth: 1, parent: 0, start: 10, duration: 20 },
    { depth: 1, parent: 0, start: 45, duration: 50 },
  ]);
  expect([...criticalPath(trace)]).toEqual([1, 1, 0, 1]);
});
