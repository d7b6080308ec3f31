/** A trace as the server ordered it: typed columns, one row a span, and which rows are shown. */
import { tableFromIPC, type Vector } from "apache-arrow";
import { request } from "../../api/http";

export interface Waterfall {
  count: number;
  startNs: number; // of the trace, since 1970
  totalNs: number;
  depth: Int32Array;
  parent: Int32Array;
  start: Float64Array; // nanoseconds from the trace's start
  duration: Float64Array;
  failed: Uint8Array;
  tokens: Float64Array;
  cost: Float64Array;
  ids: string[];
  name: (row: number) => string;
  type: (row: number) => string;
  service: (row: number) => string;
  end: Int32Array; // the first row after a row's descendants
  errors: number;
  tokenSum: number;
  costSum: number;
}

export async function loadWaterfall(project: string, traceId: string, signal: AbortSignal): Promise<Waterfall> {
  const answer = await request(`/api/traces/${traceId}/waterfall?project=${encodeURIComponent(project)}`, { signal });
  return decode(new Uint8Array(await answer.arrayBuffer()));
}

export function decode(bytes: Uint8Array): Waterfall {
  const table = tableFromIPC(bytes);
  const count = table.numRows;
  const numbers = (name: string): Float64Array => floats(table.getChild(name)!, count);
  const depth = Int32Array.from(table.getChild("depth")!.toArray() as Int32Array);
  const start = numbers("start");
  const duration = numbers("duration");
  const tokens = numbers("tokens");
  const cost = numbers("cost");
  const failedColumn = table.getChild("failed")!;
  const failed = new Uint8Array(count);
  let errors = 0;
  let totalNs = 0;
  for (let i = 0; i < count; i++) {
    if (failedColumn.get(i)) {
      failed[i] = 1;
      errors++;
    }
    totalNs = Math.max(totalNs, start[i]! + duration[i]!);
  }
  return {
    count,
    startNs: Number(table.schema.metadata.get("start_ns") ?? 0),
    totalNs: Math.max(1, totalNs),
    depth,
    parent: Int32Array.from(table.getChild("parent")!.toArray() as Int32Array),
    start,
    duration,
    failed,
    tokens,
    cost,
    ids: hexes(table.getChild("id")!, count),
    name: coded(table.getChild("name")!),
    type: coded(table.getChild("type")!),
    service: coded(table.getChild("service")!),
    end: subtreeEnds(depth),
    errors,
    tokenSum: tokens.reduce((sum, each) => (Number.isNaN(each) ? sum : sum + each), 0),
    costSum: cost.reduce((sum, each) => (Number.isNaN(each) ? sum : sum + each), 0),
  };
}

function floats(vector: Vector, count: number): Float64Array {
  const found = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const value = vector.get(i) as number | null;
    found[i] = value === null ? NaN : value;
  }
  return found;
}

const coded =
  (vector: Vector) =>
  (row: number): string =>
    vector.get(row) as string;

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

function hexes(vector: Vector, count: number): string[] {
  const found = new Array<string>(count);
  for (let i = 0; i < count; i++) {
    let text = "";
    for (const byte of vector.get(i) as Uint8Array) text += HEX[byte];
    found[i] = text;
  }
  return found;
}

/** Returns for each row the first row that is no descendant of it. */
export function subtreeEnds(depth: Int32Array): Int32Array {
  const ends = new Int32Array(depth.length);
  const open: number[] = [];
  for (let i = 0; i < depth.length; i++) {
    while (open.length && depth[open[open.length - 1]!]! >= depth[i]!) ends[open.pop()!] = i;
    open.push(i);
  }
  for (const row of open) ends[row] = depth.length;
  return ends;
}

export interface Shown {
  row: number;
  many: number; // spans that this line stands for: 1, or a run of like siblings
}

const RUN = 6; // as many siblings alike without children in a row become one line

/** Returns the lines of the tree: without what lies below closed rows, runs of like siblings as one. */
export function shownRows(data: Waterfall, closed: ReadonlySet<number>, openRuns: ReadonlySet<number>, only: Uint8Array | null): Shown[] {
  const found: Shown[] = [];
  let row = 0;
  while (row < data.count) {
    if (only && !only[row]) {
      row++;
      continue;
    }
    if (!only && data.end[row] === row + 1) {
      let last = row + 1;
      while (last < data.count && data.end[last] === last + 1 && data.parent[last] === data.parent[row] && data.name(last) === data.name(row) && data.failed[last] === data.failed[row]) last++;
      if (last - row >= RUN && !openRuns.has(row)) {
        found.push({ row, many: last - row });
        row = last;
        continue;
      }
      if (last - row >= RUN) {
        for (; row < last; row++) found.push({ row, many: 1 });
        continue;
      }
    }
    found.push({ row, many: 1 });
    row = closed.has(row) && !only ? data.end[row]! : row + 1;
  }
  return found;
}

/** Returns the rows on the critical path: going back from the end, what the trace waited for. */
export function criticalPath(data: Waterfall): Uint8Array {
  const on = new Uint8Array(data.count);
  const children: number[][] = Array.from({ length: data.count }, () => []);
  for (let i = 0; i < data.count; i++) if (data.parent[i]! >= 0) children[data.parent[i]!]!.push(i);
  const work: [number, number][] = [[0, data.start[0]! + data.duration[0]!]];
  while (work.length) {
    const [row, until] = work.pop()!;
    on[row] = 1;
    let left = until;
    const ordered = children[row]!.sort((a, b) => data.start[b]! + data.duration[b]! - (data.start[a]! + data.duration[a]!));
    for (const child of ordered) {
      const end = data.start[child]! + data.duration[child]!;
      if (end > left + 1 || data.start[child]! >= left) continue;
      work.push([child, end]);
      left = data.start[child]!;
    }
  }
  return on;
}

export interface ByName {
  name: string;
  type: string;
  count: number;
  total: number;
  own: number; // time in which no child ran
  longest: number;
  errors: number;
  tokens: number;
  cost: number;
  first: number;
}

/** Returns time by name: of all spans of a name, together and without their children. */
export function byName(data: Waterfall): ByName[] {
  const own = Float64Array.from(data.duration);
  for (let i = 0; i < data.count; i++) {
    const parent = data.parent[i]!;
    if (parent >= 0) own[parent] = Math.max(0, own[parent]! - data.duration[i]!);
  }
  const groups = new Map<string, ByName>();
  for (let i = 0; i < data.count; i++) {
    const name = data.name(i);
    let group = groups.get(name);
    if (!group) groups.set(name, (group = { name, type: data.type(i), count: 0, total: 0, own: 0, longest: 0, errors: 0, tokens: 0, cost: 0, first: i }));
    group.count++;
    group.total += data.duration[i]!;
    group.own += own[i]!;
    group.longest = Math.max(group.longest, data.duration[i]!);
    group.errors += data.failed[i]!;
    group.tokens += data.tokens[i] || 0;
    group.cost += data.cost[i] || 0;
  }
  return [...groups.values()].sort((a, b) => b.own - a.own);
}
