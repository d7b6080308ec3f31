/** Which rows of a trace are lines of its tree, and which of them the trace waited for. */
import type { Waterfall } from "./waterfall";

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
      while (last < data.count && data.end[last] === last + 1 && data.parent[last] === data.parent[row] && data.nameCode[last] === data.nameCode[row] && data.failed[last] === data.failed[row]) last++;
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
