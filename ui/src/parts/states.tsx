/** The states of a page that has nothing to show: each says what is and what to do. */
import type { ComponentChildren } from "preact";
import { Problem } from "../api/http";

export const Waiting = ({ what }: { what?: string }) => <div class="wait" role="status">{what ?? "Loading…"}</div>;

export function State({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="center">
      <div class="state">
        <h2>{title}</h2>
        {children}
      </div>
    </div>
  );
}

const TITLES: Record<number, string> = {
  0: "The server does not answer",
  401: "A key is needed",
  403: "Not allowed",
  404: "Not there",
  408: "It took too long",
  413: "Too much",
};

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const problem = error instanceof Problem ? error : new Problem(-1, error instanceof Error ? error.message : String(error));
  return (
    <State title={TITLES[problem.status] ?? (problem.status === 400 ? "The query cannot run" : "Something failed")}>
      <p>{problem.message}</p>
      {problem.hint && <p class="muted">{problem.hint}</p>}
      {retry && (
        <div class="row-flex">
          <button class="btn" onClick={retry}>
            Try again
          </button>
        </div>
      )}
    </State>
  );
}

/** A failure in one line, above what is still shown. */
export function FailureNote({ error }: { error: unknown }) {
  if (!error) return null;
  const problem = error instanceof Problem ? error : null;
  return (
    <div class="note err" role="alert">
      {problem?.message ?? String(error)}
      {problem?.hint && <span class="muted"> {problem.hint}</span>}
    </div>
  );
}
