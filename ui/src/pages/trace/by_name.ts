/** Time by name: of all spans of a name, together and without their children. */
import type { Waterfall } from "./waterfall";

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
  const own = ownTime(data);
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

/** Returns for each row the time in which none of its children ran; children that ran at once count once. */
export function ownTime(data: Pick<Waterfall, "count" | "parent" | "start" | "duration">): Float64Array {
  const own = Float64Array.from(data.duration);
  const until = Float64Array.from(data.start); // of each row: where the children seen so far have ended
  for (let row = 0; row < data.count; row++) {
    const parent = data.parent[row]!;
    if (parent < 0) continue;
    // Children come in the order in which they began.
    const end = Math.min(data.start[row]! + data.duration[row]!, data.start[parent]! + data.duration[parent]!);
    own[parent]! -= Math.max(0, end - Math.max(data.start[row]!, until[parent]!));
    until[parent] = Math.max(until[parent]!, end);
  }
  return own;
}
