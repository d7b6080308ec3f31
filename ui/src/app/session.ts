/** Who asks: whether keys are on, what this browser's session may do, and which projects there are. */
import { computed, signal } from "@preact/signals";
import { json, keyWanted } from "../api/http";

export interface Session {
  keys_required: boolean;
  signed_in: boolean;
  name: string | null;
  scopes: string[];
  projects: string[] | null;
}

export interface ProjectInfo {
  name: string;
  retention_days: number | null;
  has_spans: boolean;
}

export const session = signal<Session | null>(null);
export const projects = signal<ProjectInfo[] | null>(null);
export const sessionError = signal<unknown>(null);

export const may = (scope: string): boolean => !!session.value && (!session.value.keys_required || session.value.scopes.includes(scope) || session.value.scopes.includes("admin"));
export const mayWrite = computed(() => may("ingest"));
export const mayAdminister = computed(() => may("admin"));

export async function loadSession(): Promise<void> {
  try {
    session.value = await json<Session>("/api/session");
    sessionError.value = null;
    if (session.value.keys_required && !session.value.signed_in) {
      keyWanted.value = true;
      return;
    }
    keyWanted.value = false;
    await loadProjects();
  } catch (error) {
    sessionError.value = error;
  }
}

export async function loadProjects(): Promise<void> {
  projects.value = (await json<{ projects: ProjectInfo[] }>("/api/explore/projects")).projects;
}

const LAST = "tracestore.project";
export const lastProject = (): string | null => localStorage.getItem(LAST);
export const keepProject = (name: string): void => localStorage.setItem(LAST, name);
