/** A tile's SQL: $from, $to, $step and a board's variables are put in as literals, so that what runs is what "Open as SQL" shows. */
import { literal } from "../../api/query";
import { terms, tokens } from "../../parts/sql_text";

export interface Window {
  from: number | null; // milliseconds
  to: number | null;
}

const STEPS_S = [1, 5, 10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 86_400, 7 * 86_400, 30 * 86_400];
const WANTED_STEPS = 72; // points of a line: told apart on half a screen
const ALL_STEP_S = 86_400; // of all time, whose length is not known

/** Returns the seconds of a bucket of time that fits a window. */
export function stepOf(window: Window, now: number): number {
  if (window.from === null) return ALL_STEP_S;
  const seconds = ((window.to ?? now) - window.from) / 1000;
  return STEPS_S.find((step) => seconds / step <= WANTED_STEPS) ?? STEPS_S[STEPS_S.length - 1]!;
}

const stamp = (ms: number): string => `TIMESTAMPTZ '${new Date(ms).toISOString()}'`;
const FAR_MS = Date.UTC(2200, 0, 1);

export type Values = Record<string, string | null>;

/** Returns a statement with its `$names` filled; one that nothing fills stays, and the server says what it misses. */
export function filled(sql: string, window: Window, now: number, values: Values): string {
  const known: Record<string, string> = { from: stamp(window.from ?? 0), to: stamp(window.to ?? FAR_MS), step: `INTERVAL '${stepOf(window, now)} seconds'` };
  for (const [name, value] of Object.entries(values)) known[name] = value === null ? "NULL" : literal(value);
  let text = "";
  let dollar = false;
  for (const token of tokens(sql)) {
    if (dollar) {
      dollar = false;
      const [name, ...rest] = token.text.split(/(?=[.[])/);
      if ((token.kind === "path" || token.kind === "key") && known[name!.toLowerCase()] !== undefined) {
        text += known[name!.toLowerCase()] + rest.join("");
        continue;
      }
      text += "$";
    }
    if (token.text === "$") dollar = true;
    else text += token.text;
  }
  return dollar ? `${text}$` : text;
}

/** Returns the `$names` of a statement. */
export function namesIn(sql: string): string[] {
  const all = tokens(sql);
  return [...new Set(all.flatMap((token, i) => (token.text === "$" && /^(path|key)$/.test(all[i + 1]?.kind ?? "") ? [all[i + 1]!.text.toLowerCase()] : [])))];
}

/** Returns the condition of a plain `SELECT … FROM spans WHERE …` as TRACES takes it, without its bounds of time. */
export function conditionOf(sql: string): string {
  const parts = clauses(sql);
  if (parts.from?.trim().toLowerCase() !== "spans" || !parts.where) return "";
  return terms(parts.where)
    .filter((term) => !term.includes("$"))
    .join(" AND ");
}

/** Returns the expression that a column of a plain statement shows: of `metadata.model AS model` the path. */
export function expressionOf(sql: string, column: string): string | null {
  for (const item of items(clauses(sql).select ?? "")) {
    const named = /^([\s\S]+?)\s+as\s+("?)([^"]+)\2$/i.exec(item);
    const expression = named ? named[1]!.trim() : item;
    const name = named ? named[3]! : item.split(".").pop()!.replaceAll('"', "");
    if (name === column && /^[\w."]+$/.test(expression)) return expression;
  }
  return null;
}

type Clause = "select" | "from" | "where";
const ENDS = new Set(["group", "order", "limit", "having", "qualify", "window", "union"]);

function clauses(sql: string): Partial<Record<Clause, string>> {
  const found: Partial<Record<Clause, string>> = {};
  let depth = 0;
  let now: Clause | null = null;
  for (const token of tokens(sql)) {
    if (token.text === "(") depth++;
    if (token.text === ")") depth--;
    const word = token.text.toLowerCase();
    // `start` of $from is a dollar; the word behind it is a name.
    const named = sql[token.at - 1] === "$";
    if (depth === 0 && token.kind === "key" && !named) {
      if (word === "select" || word === "from" || word === "where") {
        if (found[word] !== undefined) return {};
        now = word;
        found[word] = "";
        continue;
      }
    }
    if (depth === 0 && ENDS.has(word) && !named) now = null;
    if (now) found[now] += token.text;
  }
  return found;
}

function items(text: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let current = "";
  for (const token of tokens(text)) {
    if (/^[([{]$/.test(token.text)) depth++;
    if (/^[)\]}]$/.test(token.text)) depth--;
    if (token.text === "," && depth === 0) {
      found.push(current.trim());
      current = "";
    } else current += token.text;
  }
  return [...found, current.trim()].filter(Boolean);
}
