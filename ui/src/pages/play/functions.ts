/** Scorers and tools that are there, and the routes that save and try a scorer. */
import { json } from "../../api/http";
import { of } from "./model";

export type ScorerBody = { type: "python"; code: string; function: string; description?: string } | { type: "judge"; prompt: string; choices: Record<string, number>; provider: string; model: string; parameters?: Record<string, unknown>; description?: string };

export interface StoredScorer {
  name: string;
  project: string | null;
  type: "built-in" | "python" | "judge";
  version: number | null;
  author: string | null;
  body: ScorerBody | null;
}
export interface StoredTool {
  name: string;
  version: number;
  body: unknown;
}
export interface Trial {
  scores: { name: string; score: number | null; rationale: string | null; metadata: Record<string, unknown> }[];
  printed: string;
  seconds: number;
  failure: { kind: string; message: string; line: number | null } | null;
}
export interface Case {
  input: unknown;
  output: unknown;
  expected: unknown;
  metadata: unknown;
}

export const listScorers = (project: string, signal?: AbortSignal): Promise<StoredScorer[]> => json(`/api/scorers?${of(project)}`, { signal });
export const listTools = (project: string, signal?: AbortSignal): Promise<StoredTool[]> => json(`/api/tools?${of(project)}`, { signal });
export const saveScorer = (project: string, name: string, body: ScorerBody, version: number | null): Promise<StoredScorer> =>
  version === null ? json(`/api/scorers?${of(project)}`, { body: { name, body } }) : json(`/api/scorers/${encodeURIComponent(name)}?${of(project)}`, { method: "PUT", body: { version, body } });
export const tryScorer = (project: string, name: string, body: ScorerBody, given: Case, signal?: AbortSignal): Promise<Trial> => json(`/api/scorers/test?${of(project)}`, { body: { name: name || "test", body, ...given }, signal });
