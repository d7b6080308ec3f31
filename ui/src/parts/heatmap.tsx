/** A heatmap: one column across, one up, and a number that is the darkness of a cell. */
import { useState } from "preact/hooks";
import type { Answer } from "../api/query";
import { number, when } from "../format";

const MOST_CELLS = 6000; // drawn; more than a screen tells apart
const WIDTH = 1000; // of the drawing's own units; it is stretched to its box
const HEIGHT = 300;
const MOST_ROW_LABELS = 8;

const isTime = (type: string): boolean => /^(TIMESTAMP|DATE)/.test(type);
const msOf = (value: unknown): number => Date.parse(String(value).replace(" ", "T").replace(/\+00$/, "Z"));

interface Axis {
  values: (string | number)[];
  label: (value: string | number) => string;
}

function axis(answer: Answer, at: number): Axis {
  const time = isTime(answer.columns[at]!.type);
  const all = [...new Set(answer.rows.map((row) => (time ? msOf(row[at]) : ((row[at] ?? "none") as string | number))))];
  const numeric = all.every((each) => typeof each === "number");
  all.sort((a, b) => (numeric ? Number(a) - Number(b) : String(a).localeCompare(String(b))));
  // Times without rows are columns, too.
  const values = time && all.length > 1 ? spaced(all as number[]) : all;
  return { values, label: (value) => (time ? when(Number(value)) : typeof value === "number" ? number(Number(value.toPrecision(2))) : value) };
}

function spaced(times: number[]): number[] {
  const step = Math.min(...times.slice(1).map((time, i) => time - times[i]!));
  const count = Math.round((times[times.length - 1]! - times[0]!) / step) + 1;
  return count > 500 ? times : Array.from({ length: count }, (_, i) => times[0]! + i * step);
}

export function Heatmap({ answer, onPick }: { answer: Answer; onPick?: (x: number, label: string | null) => void }) {
  const [told, setTold] = useState<string | null>(null);
  if (answer.columns.length < 3 || !answer.rows.length) return <p class="muted pad">A heatmap needs three columns: across, up, and a number{answer.rows.length ? "" : "; there are no rows"}.</p>;
  const time = isTime(answer.columns[0]!.type);
  const across = axis(answer, 0);
  const up = axis(answer, 1);
  const [columnOf, rowOf] = [across, up].map((each) => new Map(each.values.map((value, i) => [value, i])));
  const most = Math.max(1e-12, ...answer.rows.map((row) => Number(row[2]) || 0));
  const [width, height] = [WIDTH / across.values.length, HEIGHT / up.values.length];
  const step = Math.max(1, Math.ceil(up.values.length / MOST_ROW_LABELS));
  return (
    <div class="heat-box" onMouseLeave={() => setTold(null)}>
      <div class="heat-up" aria-hidden="true">
        {[...up.values].reverse().map((value, i) => ((up.values.length - 1 - i) % step === 0 ? <span key={value}>{up.label(value)}</span> : <span key={value} />))}
      </div>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${answer.columns[2]!.name} by ${answer.columns[0]!.name} and ${answer.columns[1]!.name}`}>
        {answer.rows.slice(0, MOST_CELLS).map((row, i) => {
          const x = time ? msOf(row[0]) : ((row[0] ?? "none") as string | number);
          const y = (row[1] ?? "none") as string | number;
          const value = Number(row[2]) || 0;
          if (!value) return null;
          return <rect key={i} x={(columnOf!.get(x) ?? 0) * width} y={HEIGHT - ((rowOf!.get(y) ?? 0) + 1) * height} width={Math.max(1, width - 1)} height={Math.max(1, height - 1)} class="heat-cell" style={{ opacity: 0.15 + 0.85 * Math.sqrt(value / most) }} onMouseMove={() => setTold(`${across.label(x)} · ${answer.columns[1]!.name} ${up.label(y)} · ${number(value)}`)} onClick={() => onPick?.(time ? x as number / 1000 : i, time ? null : String(x))} />;
        })}
      </svg>
      <div class="heat-across" aria-hidden="true">
        <span>{across.label(across.values[0]!)}</span>
        <span class="muted">{told ?? ""}</span>
        <span>{across.label(across.values[across.values.length - 1]!)}</span>
      </div>
    </div>
  );
}
