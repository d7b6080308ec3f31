/** Cases of a file: JSON, a line of JSON each, or CSV with a line of names. */
import { exactJson } from "../../api/exact";

export interface Case {
  id?: string;
  input?: unknown;
  expected?: unknown;
  metadata?: Record<string, unknown>;
  tags?: string[];
}

const FIELDS = ["id", "input", "expected", "metadata", "tags"];

/** Returns the cases of a file's text; throws with what a person can do where it holds none. */
export function casesOf(text: string, name: string): Case[] {
  const rows = /\.(csv|tsv)$/i.test(name) ? named(cells(text, /\.tsv$/i.test(name) ? "\t" : ",")) : values(text);
  if (!rows.length) throw new Error("The file holds no rows.");
  return rows.map(caseOf);
}

/** A row without an input is one: its own fields are what goes in, but for what is expected. */
function caseOf(row: unknown): Case {
  if (typeof row !== "object" || row === null || Array.isArray(row)) return { input: row };
  const given = row as Record<string, unknown>;
  const known = Object.fromEntries(FIELDS.filter((field) => given[field] !== undefined && given[field] !== "").map((field) => [field, given[field]]));
  const rest = Object.fromEntries(Object.entries(given).filter(([key]) => !FIELDS.includes(key)));
  if (given.input === undefined) return { ...known, input: rest };
  if (!Object.keys(rest).length) return known;
  return { ...known, metadata: { ...(typeof known.metadata === "object" ? known.metadata : {}), ...rest } };
}

function values(text: string): unknown[] {
  try {
    const whole: unknown = exactJson(text);
    return Array.isArray(whole) ? whole : [whole];
  } catch {
    return text.split("\n").flatMap((line, i) => (line.trim() ? [lineOf(line, i + 1)] : []));
  }
}

function lineOf(line: string, number: number): unknown {
  try {
    return exactJson(line);
  } catch {
    throw new Error(`Line ${number} is no JSON. A file holds a list, one value a line, or CSV and is then named .csv.`);
  }
}

/** Returns rows of cells; quotes hold commas, line ends, and quotes that stand twice. */
export function cells(text: string, comma: string): string[][] {
  const rows: string[][] = [[]];
  let cell = "";
  let quoted = false;
  const end = () => {
    rows[rows.length - 1]!.push(cell);
    cell = "";
  };
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') cell += text[++at];
      else quoted = false;
    } else if (letter === '"' && !cell) quoted = true;
    else if (letter === comma) end();
    else if (letter === "\n") {
      end();
      rows.push([]);
    } else if (letter !== "\r" && letter !== "\ufeff") cell += letter;
  }
  end();
  return rows.filter((row) => row.some(Boolean));
}

function named([names = [], ...rows]: string[][]): Record<string, unknown>[] {
  return rows.map((row) => Object.fromEntries(names.map((name, i) => [name.trim(), valueOf(row[i] ?? "")])));
}

/** Objects and lists may stand in a cell; all else is text, so that no id loses its zeros. */
function valueOf(cell: string): unknown {
  if (!/^\s*[[{]/.test(cell)) return cell;
  try {
    return exactJson(cell);
  } catch {
    return cell;
  }
}
