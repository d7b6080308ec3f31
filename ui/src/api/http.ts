/** Requests to this server alone: JSON in and out, errors as problems, and whether the server is there at all. */
import { signal } from "@preact/signals";
import { exactJson } from "./exact";

export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint: string | null = null,
    readonly title = "",
  ) {
    super(message);
  }
}

/** Seconds since the server was last heard, null while it answers. */
export const serverGone = signal(false);
/** Whether the server asked for a key that this browser has not. */
export const keyWanted = signal(false);

export interface Options {
  method?: string;
  body?: unknown;
  text?: string;
  accept?: string;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

const PROBE_MS = 1500; // while the server is gone, it is asked this often

export async function request(path: string, options: Options = {}): Promise<Response> {
  const headers: Record<string, string> = { ...options.headers };
  if (options.accept) headers["Accept"] = options.accept;
  let body: string | undefined = options.text;
  if (options.body !== undefined) {
    headers["Content-Type"] = "application/json";
    body = JSON.stringify(options.body);
  }
  let response: Response;
  try {
    response = await fetch(path, { method: options.method ?? (body === undefined ? "GET" : "POST"), headers, body, signal: options.signal });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    lost();
    throw new Problem(0, "the server does not answer", "It may have stopped. This page asks again by itself and goes on where it was.", "Server gone");
  }
  serverGone.value = false;
  if (response.ok) return response;
  if (response.status === 401) keyWanted.value = true;
  let document: { detail?: string; hint?: string | null; title?: string } = {};
  try {
    document = await response.json();
  } catch {
    document = { detail: `the server answered ${response.status}` };
  }
  throw new Problem(response.status, document.detail ?? `the server answered ${response.status}`, document.hint ?? null, document.title ?? "");
}

/** Returns an answer whose whole numbers keep every digit. */
export async function exact<T>(path: string, options: Options = {}): Promise<T> {
  return exactJson(await (await request(path, options)).text()) as T;
}

export async function json<T>(path: string, options: Options = {}): Promise<T> {
  return (await request(path, options)).json() as Promise<T>;
}

let probing = false;

function lost(): void {
  serverGone.value = true;
  if (probing) return;
  probing = true;
  const probe = async () => {
    try {
      const answer = await fetch("/healthz");
      if (answer.ok) {
        probing = false;
        serverGone.value = false;
        window.dispatchEvent(new Event("server-back"));
        return;
      }
    } catch {
      /* still gone */
    }
    setTimeout(probe, PROBE_MS);
  };
  setTimeout(probe, PROBE_MS);
}

export const aborted = (error: unknown): boolean => error instanceof DOMException && error.name === "AbortError";
