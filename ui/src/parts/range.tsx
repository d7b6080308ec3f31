/** The time that a page looks at: the last hour or day, or from one moment to another; the address says which. */
import { setParams } from "../app/location";
import { when } from "../format";
import { Menu } from "./overlay";

export interface Range {
  last: string | null; // "1h"; null where from and to are given, or for all time
  from: number | null; // milliseconds since 1970
  to: number | null;
}

export const LASTS: [string, string, number][] = [
  ["15m", "Last 15 minutes", 900],
  ["1h", "Last hour", 3600],
  ["6h", "Last 6 hours", 21_600],
  ["1d", "Last day", 86_400],
  ["7d", "Last 7 days", 604_800],
  ["30d", "Last 30 days", 2_592_000],
  ["all", "All time", 0],
];
export const DEFAULT_LAST = "1d";

export function readRange(given: URLSearchParams): Range {
  const from = Number(given.get("from")) || null;
  const to = Number(given.get("to")) || null;
  if (from || to) return { last: null, from, to };
  const last = given.get("last") ?? DEFAULT_LAST;
  return { last: LASTS.some(([key]) => key === last) ? last : DEFAULT_LAST, from: null, to: null };
}

/** Returns a range's ends in milliseconds as of a moment; null is open. */
export function ends(range: Range, now: number): [number | null, number | null] {
  if (range.last === null) return [range.from, range.to];
  const seconds = LASTS.find(([key]) => key === range.last)?.[2] ?? 0;
  return seconds ? [now - seconds * 1000, null] : [null, null];
}

export const setRange = (range: Partial<Range>): void => setParams({ last: range.last && range.last !== DEFAULT_LAST ? range.last : null, from: range.from ? String(Math.floor(range.from)) : null, to: range.to ? String(Math.ceil(range.to)) : null, row: null });

export const rangeLabel = (range: Range): string => (range.last ? LASTS.find(([key]) => key === range.last)![1] : `${range.from ? when(range.from) : "…"} – ${range.to ? when(range.to) : "now"}`);

export function RangeMenu({ range }: { range: Range }) {
  const label = rangeLabel(range);
  return (
    <Menu
      align="right"
      name={`Time: ${label}`}
      label={
        <>
          {label} <span aria-hidden="true">▾</span>
        </>
      }
      items={LASTS.map(([key, text]) => ({ label: text, on: key === range.last, run: () => setRange({ last: key }) }))}
    />
  );
}
