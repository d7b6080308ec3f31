/** A trace as the server ordered it: typed columns, one row a span, read from the bytes as they came. */
import { tableFromIPC, type Data, type Table } from "apache-arrow";
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
  tokens: Float64Array; // NaN where a span has none
  cost: Float64Array;
  nameCode: Int32Array; // the place of a row's name among `names`
  names: string[];
  id: (row: number) => string;
  /** Returns the row of a span, -1 where it is not there. */
  rowOf: (id: string) => number;
  name: (row: number) => string;
  type: (row: number) => string;
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
  const [depth, parent] = ["depth", "parent"].map((name) => (column(table, name).values as Int32Array).subarray(0, count)) as [Int32Array, Int32Array];
  const [start, duration, tokens, cost] = ["start", "duration", "tokens", "cost"].map((name) => numbers(column(table, name), count)) as [Float64Array, Float64Array, Float64Array, Float64Array];
  const failed = flags(column(table, "failed"), count);
  const ids = column(table, "id").values as Uint8Array;
  const names = coded(table, "name");
  const types = coded(table, "type");
  let totalNs = 1;
  for (let row = 0; row < count; row++) totalNs = Math.max(totalNs, start[row]! + duration[row]!);
  return {
    count,
    startNs: Number(table.schema.metadata.get("start_ns") ?? 0),
    totalNs,
    depth,
    parent,
    start,
    duration,
    failed,
    tokens,
    cost,
    nameCode: names.codes,
    names: names.texts,
    id: (row) => hex(ids, row),
    rowOf: (id) => placeOf(ids, count, id),
    name: (row) => names.texts[names.codes[row]!]!,
    type: (row) => types.texts[types.codes[row]!]!,
    end: subtreeEnds(depth),
    errors: failed.reduce((sum, each) => sum + each, 0),
    tokenSum: total(tokens),
    costSum: total(cost),
  };
}

/** Returns the one piece of a column: the server sends a trace as one batch. */
function column(table: Table, name: string): Data {
  const pieces = table.getChild(name)?.data ?? [];
  if (pieces.length !== 1) throw new Error(`the trace cannot be drawn: column ${name} came in ${pieces.length} pieces`);
  return pieces[0]!;
}

const isThere = (data: Data, row: number): boolean => !data.nullCount || ((data.nullBitmap[row >> 3]! >> (row & 7)) & 1) === 1;

function numbers(data: Data, count: number): Float64Array {
  const found = (data.values as Float64Array).slice(0, count);
  if (data.nullCount) for (let row = 0; row < count; row++) if (!isThere(data, row)) found[row] = NaN;
  return found;
}

function flags(data: Data, count: number): Uint8Array {
  const bits = data.values as Uint8Array;
  const found = new Uint8Array(count);
  for (let row = 0; row < count; row++) found[row] = isThere(data, row) ? (bits[row >> 3]! >> (row & 7)) & 1 : 0;
  return found;
}

/** Returns a dictionary-coded column: each text once, and the place of each row's text. */
function coded(table: Table, name: string): { codes: Int32Array; texts: string[] } {
  const data = column(table, name);
  return { codes: Int32Array.from(data.values as Int32Array), texts: [...data.dictionary!].map(String) };
}

const total = (values: Float64Array): number => values.reduce((sum, each) => (Number.isNaN(each) ? sum : sum + each), 0);

const ID_BYTES = 8;
const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

function hex(ids: Uint8Array, row: number): string {
  let text = "";
  for (let at = row * ID_BYTES; at < (row + 1) * ID_BYTES; at++) text += HEX[ids[at]!];
  return text;
}

function placeOf(ids: Uint8Array, count: number, id: string): number {
  if (!/^[0-9a-f]{16}$/.test(id)) return -1;
  const wanted = Array.from({ length: ID_BYTES }, (_, i) => parseInt(id.slice(2 * i, 2 * i + 2), 16));
  for (let row = 0; row < count; row++) if (wanted.every((byte, i) => ids[row * ID_BYTES + i] === byte)) return row;
  return -1;
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
