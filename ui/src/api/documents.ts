/** Saved documents: every save is a version, and names the version that it changes. */
import { json, Problem } from "./http";

export type DocumentKind = "view" | "query" | "board" | "queue";

export interface SavedDocument<Body> {
  document_id: string;
  project: string;
  kind: string;
  name: string;
  version: number;
  created_ns: number;
  updated_ns: number;
  author: string | null;
  body: Body;
}

export interface DocumentVersion {
  version: number;
  name: string;
  author: string | null;
  created_ns: number;
}

const at = (kind: string, project: string, id = "", more = ""): string => `/api/documents/${kind}${id && `/${id}`}${more}?project=${encodeURIComponent(project)}`;

export const listDocuments = <Body>(kind: DocumentKind, project: string, signal?: AbortSignal): Promise<SavedDocument<Body>[]> => json(`${at(kind, project)}&bodies=true`, { signal });

export const getDocument = <Body>(kind: DocumentKind, project: string, id: string, signal?: AbortSignal, version?: number): Promise<SavedDocument<Body>> => json(at(kind, project, id) + (version ? `&version=${version}` : ""), { signal });

export const createDocument = <Body>(kind: DocumentKind, project: string, name: string, body: Body): Promise<SavedDocument<Body>> => json(at(kind, project), { body: { name, body } });

export const saveDocument = <Body>(saved: SavedDocument<unknown>, body: Body, name = saved.name): Promise<SavedDocument<Body>> => json(at(saved.kind, saved.project, saved.document_id), { method: "PUT", body: { version: saved.version, name, body } });

export const deleteDocument = (saved: SavedDocument<unknown>): Promise<unknown> => json(`${at(saved.kind, saved.project, saved.document_id)}&version=${saved.version}`, { method: "DELETE" });

export const documentVersions = (saved: SavedDocument<unknown>, signal?: AbortSignal): Promise<DocumentVersion[]> => json(at(saved.kind, saved.project, saved.document_id, "/versions"), { signal });

export const isConflict = (error: unknown): boolean => error instanceof Problem && error.status === 409;
