/** SQL: one statement in, columns and rows out. */
import { Exact } from "./exact";
import { exact, type Options } from "./http";

export interface Column {
  name: string;
  type: string;
}
export interface Stats {
  segments_read: number;
  segments_pruned: number;
  memtable_rows: number;
  leaf_columns: number;
  planning_ms: number;
}
export interface Answer {
  columns: Column[];
  rows: unknown[][];
  warnings: string[];
  cursor: string | null;
  stats: Stats;
  ms: number;
}
export type Row = Record<string, unknown>;

export interface Ask {
  project?: string;
  params?: Record<string, unknown>;
  maxRows?: number;
  timeoutS?: number;
  signal?: AbortSignal;
}

export async function query(sql: string, ask: Ask = {}): Promise<Answer> {
  const started = performance.now();
  const options: Options = {
    body: {
      sql,
      ...(ask.params ? { params: ask.params } : {}),
      ...(ask.project ? { project: ask.project } : {}),
      ...(ask.maxRows ? { max_rows: ask.maxRows } : {}),
      ...(ask.timeoutS ? { timeout_s: ask.timeoutS } : {}),
    },
    signal: ask.signal,
  };
  const answer = await exact<Omit<Answer, "ms">>("/api/query", options);
  return { ...answer, ms: performance.now() - started };
}

export function objects(answer: Answer): Row[] {
  const names = answer.columns.map((column) => column.name);
  return answer.rows.map((row) => Object.fromEntries(row.map((value, i) => [names[i], value])));
}

/** Returns a text as SQL writes it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;
// The first words that stand for themselves in the language and so need quotes as a key.
const RESERVED = /^(all|and|any|array|as|asc|between|by|case|cast|check|column|create|cross|default|desc|distinct|else|end|except|exists|false|for|from|full|group|having|in|inner|intersect|into|is|join|left|like|limit|not|null|offset|on|or|order|outer|right|select|table|then|to|true|union|unique|using|when|where|with)$/i;

/** Returns a path's text, `a."b c".d`, as its keys. */
export function keysOf(path: string): string[] {
  const keys: string[] = [];
  const pattern = /"((?:[^"]|"")*)"|([^."]+)/g;
  for (const match of path.matchAll(pattern)) keys.push(match[1] !== undefined ? match[1].replaceAll('""', '"') : (match[2] as string));
  return keys;
}

/** Returns keys as a path of the language: dots between plain keys, quotes around others. */
export function pathOf(keys: string[]): string {
  return keys
    .map((key, i) => {
      if (PLAIN_KEY.test(key) && !RESERVED.test(key)) return (i ? "." : "") + key;
      // A key with dots reads the same as its parts, and people write it so.
      if (i && key.split(".").every((part) => PLAIN_KEY.test(part) && !RESERVED.test(part))) return "." + key;
      return (i ? "." : "") + `"${key.replaceAll('"', '""')}"`;
    })
    .join("");
}

/** Returns a value as SQL writes it. */
export function literal(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (value instanceof Exact || typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return quoted(typeof value === "string" ? value : JSON.stringify(value));
}

/** Returns a condition that a path has a value. */
export const equals = (path: string, value: unknown): string => (value === null ? `${path} IS NULL` : `${path} = ${literal(value)}`);
