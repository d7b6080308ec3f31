/** What a chart draws of an answer: one column is the axis, numbers are series, a text beside one number makes a series of each text. */
import type { Answer } from "../api/query";

export type Kind = "line" | "area" | "bar" | "stacked" | "scatter" | "number" | "table" | "heatmap" | "text";

export interface Series {
  name: string;
  values: (number | null)[];
}
export interface ChartData {
  time: boolean;
  x: number[]; // seconds since 1970 where it is a time
  labels: string[] | null; // of categories; x is then their places
  axis: string;
  series: Series[];
  measures: boolean; // whether each series is a column of its own, and not the values of one column by a text
  left: number; // series beyond those that are drawn
}

const COLOURS = ["llm", "tool", "retriever", "agent", "embedding", "guardrail", "chain", "other"];

/** Returns the token of a series' colour. */
export const colour = (i: number): string => COLOURS[i % COLOURS.length]!;

const MOST_SERIES = 12; // colours that people tell apart, and lines they can follow
const isTime = (type: string): boolean => /^(TIMESTAMP|DATE)/.test(type);
const isNumber = (type: string): boolean => /^(TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT|U\w*INT|FLOAT|DOUBLE|DECIMAL)/.test(type);

const numberOf = (value: unknown): number | null => {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
};

const looksNumeric = (answer: Answer, at: number): boolean => isNumber(answer.columns[at]!.type) || (!isTime(answer.columns[at]!.type) && answer.rows.length > 0 && answer.rows.every((row) => row[at] === null || typeof row[at] === "number") && answer.rows.some((row) => row[at] !== null));

export function chartData(answer: Answer): ChartData | null {
  const places = answer.columns.map((_, i) => i);
  const time = places.find((i) => isTime(answer.columns[i]!.type));
  const numeric = places.filter((i) => i !== time && looksNumeric(answer, i));
  const texts = places.filter((i) => i !== time && !numeric.includes(i));
  if (!numeric.length || !answer.rows.length) return null;
  const axisAt = time ?? texts[0] ?? (numeric.length > 1 ? numeric[0]! : -1);
  const values = numeric.filter((i) => i !== axisAt);
  if (!values.length) return null;
  const by = texts.find((i) => i !== axisAt);
  const axisOf = (row: unknown[], i: number): string | number => (axisAt < 0 ? i : time !== undefined ? Date.parse(String(row[axisAt]).replace(" ", "T").replace(/\+00$/, "Z")) / 1000 : (row[axisAt] as string | number));
  const keys: (string | number)[] = [...new Set(answer.rows.map((row, i) => axisOf(row, i)))];
  const ordered = time !== undefined || texts[0] === undefined;
  if (ordered) keys.sort((a, b) => Number(a) - Number(b));
  const placeOf = new Map(keys.map((key, i) => [key, i]));
  const series = new Map<string, (number | null)[]>();
  answer.rows.forEach((row, i) => {
    const place = placeOf.get(axisOf(row, i))!;
    for (const at of values) {
      const name = by === undefined ? answer.columns[at]!.name : values.length > 1 ? `${String(row[by] ?? "none")} ${answer.columns[at]!.name}` : String(row[by] ?? "none");
      let column = series.get(name);
      if (!column) series.set(name, (column = new Array<number | null>(keys.length).fill(null)));
      column[place] = numberOf(row[at]);
    }
  });
  const all = [...series].map(([name, column]) => ({ name, values: column }));
  const weight = (each: Series): number => each.values.reduce<number>((sum, value) => sum + Math.abs(value ?? 0), 0);
  const shown = all.length > MOST_SERIES ? [...all].sort((a, b) => weight(b) - weight(a)).slice(0, MOST_SERIES) : all;
  return { time: time !== undefined, x: ordered ? keys.map(Number) : keys.map((_, i) => i), labels: ordered ? null : keys.map((key) => (key === null ? "none" : String(key))), axis: axisAt < 0 ? "row" : answer.columns[axisAt]!.name, series: shown, measures: by === undefined, left: all.length - shown.length };
}

/** Returns which chart fits an answer best. */
export function fitting(answer: Answer): Kind {
  if (answer.rows.length === 1 && answer.columns.length <= 2) return "number";
  const data = chartData(answer);
  if (!data) return "table";
  if (data.time) return data.series.length > 1 ? "stacked" : "area";
  return data.labels ? "bar" : "scatter";
}
