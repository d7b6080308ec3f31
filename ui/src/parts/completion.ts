/** What can be completed: columns and paths of a project's table, and the values of a path. Asked once and kept. */
import { json, request } from "../api/http";
import { keysOf, literal, pathOf } from "../api/query";

export interface PathInfo {
  path: string;
  types: Record<string, number>;
  rows: number;
  column: boolean;
}

interface Schema {
  columns: { name: string; type: string }[];
  paths: { path: string; types: Record<string, number> }[];
}

const MOST_PATHS = 5000; // of a list that a person completes from
const KEPT_MS = 60_000;
const schemas = new Map<string, { at: number; paths: Promise<PathInfo[]> }>();

/** Returns the columns and paths of a table, those with most rows first. */
export function knownPaths(project: string, table = "spans"): Promise<PathInfo[]> {
  const key = `${project}\n${table}`;
  const kept = schemas.get(key);
  if (kept && Date.now() - kept.at < KEPT_MS) return kept.paths;
  const paths = json<Schema>(`/api/schema?table=${table}&limit=${MOST_PATHS}&project=${encodeURIComponent(project)}`).then((schema) => {
    const columns = schema.columns.map((column) => ({ path: column.name, types: { [column.type]: 0 }, rows: 0, column: true }));
    const found = schema.paths.map((each) => ({ path: pathOf(keysOf(each.path)), types: each.types, rows: Object.values(each.types).reduce((a, b) => a + b, 0), column: false }));
    return [...columns, ...found.sort((a, b) => b.rows - a.rows)];
  });
  schemas.set(key, { at: Date.now(), paths });
  paths.catch(() => schemas.delete(key));
  return paths;
}

export interface ValueInfo {
  value: unknown;
  written: string;
  rows: number;
}

/** Returns the most frequent values of a path. */
export async function knownValues(project: string, path: string, signal?: AbortSignal): Promise<ValueInfo[]> {
  const answer = await request("/api/explore/facets", { body: { project, paths: [path], from_ns: (Date.now() - 7 * 86_400_000) * 1e6 }, signal });
  const facet = JSON.parse(await answer.text()) as { values?: { value: unknown; rows: number }[] };
  return (facet.values ?? []).map((each) => ({ value: each.value, written: literal(each.value), rows: each.rows }));
}

const TYPE_WORDS: Record<string, string> = { str: "text", string: "text", VARCHAR: "text", i64: "number", int64: "number", f64: "number", double: "number", BIGINT: "number", DOUBLE: "number", INTEGER: "number", bool: "boolean", BOOLEAN: "boolean", bin: "bytes", json: "JSON", "json[]": "list", array: "list", object: "object", "str[]": "list", "i64[]": "list", "f64[]": "list", "bool[]": "list" };

/** Returns types as people call them, each once: `number, text`. */
export const typeWords = (types: string[]): string => [...new Set(types.map((type) => TYPE_WORDS[type] ?? type.toLowerCase()))].join(", ");
