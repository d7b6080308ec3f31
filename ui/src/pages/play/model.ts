/** A play as the server has it: rows, columns, cells; and edits of single places of it, applied as the server applies them. */
import { json, request } from "../../api/http";
import { exactJson } from "../../api/exact";
import { createNamed } from "../../parts/new_play";

export interface Message {
  role: string;
  content?: unknown;
  [more: string]: unknown;
}
export type Tool = string | { name: string; description?: string; parameters?: unknown };
export interface PromptBody {
  description?: string;
  messages: Message[];
  template: "mustache" | "none";
  provider: string;
  model: string;
  parameters: Record<string, unknown>;
  tools: Tool[];
  response_schema: unknown;
  max_turns: number;
}
export interface PromptRef {
  slug: string;
  version: number;
}
export interface Column extends Partial<{ [Key in Override]: PromptBody[Key] | null }> {
  name?: string;
  prompt?: PromptRef | null;
  experiment?: string | null;
  key?: string | null;
}
export interface TypedRow {
  input?: unknown;
  expected?: unknown;
  metadata?: unknown;
}
export type RowsSource =
  | { source: "dataset"; dataset: string; version?: number | null; limit?: number }
  | { source: "query"; sql: string; limit?: number }
  | { source: "span"; trace_id: string; span_id: string }
  | { source: "typed"; items: Record<string, TypedRow>; order: string[] };
export interface PlayBody {
  rows?: RowsSource | null;
  columns?: Record<string, Column>;
  order?: string[];
  scorers?: string[];
  concurrency?: number;
}
export interface PlayDocument {
  document_id: string;
  project: string;
  name: string;
  version: number;
  created_ns: number;
  updated_ns: number;
  author: string | null;
  body: PlayBody;
}
export interface PlayRow {
  id: string;
  input: unknown;
  expected: unknown;
  metadata: unknown;
  tags: unknown;
  origin: { project?: string; trace_id?: string; span_id?: string } | null;
}
export interface RowsAnswer {
  rows: PlayRow[];
  more: boolean;
  dataset: string | null;
  dataset_version: number | null;
}
export interface Cell {
  row: string;
  column: string;
  state: "none" | "waiting" | "running" | "done" | "failed";
  experiment: string | null;
  trace_id: string | null;
  span_id: string | null;
  output: unknown;
  output_characters: number;
  error: string | null;
  scores: Record<string, number | null>;
  rationales: Record<string, string>;
  scorer_errors: Record<string, string>;
  usage: Record<string, number>;
  cost: number | null;
  seconds: number | null;
  time_to_first_token: number | null;
  turns: number;
  missing?: string[];
  is_current: boolean | null;
}
export interface Run {
  run_id: string;
  state: "running" | "done" | "stopped";
  cells: number;
  done: number;
  failed: number;
  running: number;
  waiting: number;
  cost: number;
  seconds: number;
  experiments: Record<string, string>;
}
export interface Edit {
  path: (string | number)[];
  value?: unknown;
  delete?: boolean;
}
export interface Prompt {
  slug: string;
  version: number;
  labels: Record<string, number>;
  author: string | null;
  updated_ns: number;
  body: PromptBody;
}
export interface Provider {
  name: string;
  kind: "openai" | "anthropic";
  base_url: string;
  key: string | null;
  has_key: boolean;
  models: string[];
}

export const MOST_COLUMNS = 8;
/** What a column may have in place of its prompt's own. */
export const OVERRIDES = ["messages", "template", "provider", "model", "parameters", "tools", "response_schema", "max_turns"] as const;
export type Override = (typeof OVERRIDES)[number];
export const ROLES = ["system", "user", "assistant", "tool", "messages"];

export const EMPTY_PROMPT: PromptBody = { messages: [], template: "mustache", provider: "", model: "", parameters: {}, tools: [], response_schema: null, max_turns: 8 };

export const of = (project: string): string => `project=${encodeURIComponent(project)}`;
export const listPlays = (project: string, signal?: AbortSignal): Promise<PlayDocument[]> => json(`/api/play?${of(project)}`, { signal });
export const createPlay = createNamed<PlayBody, PlayDocument>;
export const listProviders = (project: string, signal?: AbortSignal): Promise<Provider[]> => json(`/api/providers?${of(project)}`, { signal });
export const listPrompts = (project: string, signal?: AbortSignal): Promise<Prompt[]> => json(`/api/prompts?${of(project)}`, { signal });
export const getPrompt = async (project: string, slug: string, version?: number): Promise<Prompt> => exactJson(await (await request(`/api/prompts/${slug}?${of(project)}${version ? `&version=${version}` : ""}`)).text()) as Prompt;

const models = new Map<string, Promise<string[]>>();

/** Returns the models of a provider; asked once, since an endpoint far away answers. */
export function modelsOf(project: string, provider: string): Promise<string[]> {
  const key = `${project}\n${provider}`;
  let known = models.get(key);
  if (!known) {
    known = json<{ models: string[] }>(`/api/providers/${encodeURIComponent(provider)}/models?${of(project)}`).then((answer) => answer.models);
    known.catch(() => models.delete(key));
    models.set(key, known);
  }
  return known;
}

/** Returns the columns as they stand side by side; those that the order lacks come last. */
export function columnsOf(body: PlayBody): [string, Column][] {
  const columns = body.columns ?? {};
  const ids = [...new Set([...(body.order ?? []), ...Object.keys(columns)])].filter((id) => columns[id]);
  return ids.map((id) => [id, columns[id]!]);
}

export const nameOf = (body: PlayBody, id: string): string => body.columns?.[id]?.name || String.fromCharCode(65 + Math.max(0, columnsOf(body).findIndex(([each]) => each === id)));

/** Returns the whole prompt that a column is: its version of a prompt, with its own in place of what is not null. */
export function effective(column: Column, base: PromptBody | null): PromptBody {
  const whole: PromptBody = { ...EMPTY_PROMPT, ...(base ?? {}) };
  for (const name of OVERRIDES) if (column[name] !== null && column[name] !== undefined) Object.assign(whole, { [name]: column[name] });
  return whole;
}

export const isEdited = (column: Column): boolean => OVERRIDES.some((name) => column[name] !== null && column[name] !== undefined);

const withOwn = (column: Column, known: Column | undefined): Column => {
  const { experiment: _, key: __, ...own } = column;
  return { ...own, ...(known?.experiment === undefined ? {} : { experiment: known.experiment }), ...(known?.key === undefined ? {} : { key: known.key }) };
};

/** Returns a body with a place of it set; bodies are never changed, so that what did not change is the same object. */
export function applied(body: PlayBody, edit: Edit): PlayBody {
  const path = edit.path;
  let value = edit.value;
  if (path[0] === "columns" && path.length === 2 && value && typeof value === "object") value = withOwn(value as Column, body.columns?.[path[1] as string]);
  return (put(body, path, value, !!edit.delete, []) ?? body) as PlayBody;
}

const ENTITIES = ["columns", "rows\u0000items"]; // what is gone there is not made anew by a change inside of it

function put(place: unknown, path: (string | number)[], value: unknown, remove: boolean, above: (string | number)[]): unknown {
  const [key, ...rest] = path;
  if (Array.isArray(place)) {
    if (typeof key !== "number" || key < 0 || key > place.length) return null;
    const next = [...place];
    if (rest.length) {
      const inner = key < place.length ? put(place[key], rest, value, remove, [...above, key]) : null;
      if (inner === null) return null;
      next[key] = inner;
    } else if (remove) next.splice(key, 1);
    else next[key] = value;
    return next;
  }
  if (typeof key !== "string" || (place !== null && place !== undefined && typeof place !== "object")) return null;
  const known = (place ?? {}) as Record<string, unknown>;
  if (!rest.length) {
    const { [key]: _, ...others } = known;
    return remove ? others : { ...known, [key]: value };
  }
  if ((known[key] === null || known[key] === undefined) && ENTITIES.includes(above.join("\u0000"))) return null;
  const inner = put(known[key] ?? {}, rest, value, remove, [...above, key]);
  return inner === null ? null : { ...known, [key]: inner };
}

/** Returns a prompt as text that a person compares: its messages, then the rest as JSON. */
export function promptText(body: PromptBody): string {
  const messages = body.messages.map((each) => `${each.role}\n${textOf(each.content)}${each.tool_calls ? `\n${JSON.stringify(each.tool_calls, null, 2)}` : ""}`).join("\n\n");
  const settings = { provider: body.provider, model: body.model, parameters: body.parameters, tools: body.tools, response_schema: body.response_schema };
  return `${messages}\n\n${Object.entries(settings)
    .filter(([, value]) => value !== null && value !== "" && JSON.stringify(value) !== "{}" && JSON.stringify(value) !== "[]")
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value, null, 2)}`)
    .join("\n")}`;
}

export const textOf = (content: unknown): string => (typeof content === "string" ? content : content === null || content === undefined ? "" : JSON.stringify(content, null, 2));

const MOST_VARIABLES = 200;

/** Returns the paths that a template may name, of the first rows: those of input, expected and metadata. */
export function variablesOf(rows: PlayRow[]): { path: string; sample: string }[] {
  const found = new Map<string, string>();
  const walk = (value: unknown, path: string, depth: number) => {
    if (found.size >= MOST_VARIABLES || value === null || value === undefined) return;
    if (!found.has(path)) found.set(path, textOf(value).slice(0, 80));
    if (typeof value === "object" && !Array.isArray(value) && depth < 6) for (const [key, inner] of Object.entries(value)) if (/^[\w-]+$/.test(key)) walk(inner, `${path}.${key}`, depth + 1);
  };
  for (const row of rows.slice(0, 20)) for (const root of ["input", "expected", "metadata"] as const) walk(row[root], root, 0);
  return [...found].map(([path, sample]) => ({ path, sample }));
}
