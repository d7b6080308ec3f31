/** An alert as the server tells of it. */
import { json } from "../../api/http";
import { number } from "../../format";

export interface Webhook {
  url: string;
  format: "json" | "slack";
  signed?: boolean;
  secret?: string | null;
}
export interface Rule {
  sql: string;
  op: string;
  threshold: number;
  every_s: number;
  for_s: number;
  enabled: boolean;
  webhook: Webhook | null;
}
export interface AlertInfo {
  document_id: string;
  project: string;
  name: string;
  version: number;
  updated_ns: number;
  author: string | null;
  rule: Rule;
  state: "ok" | "pending" | "firing" | null;
  since_ns: number | null;
  checked_ns: number | null;
  value: string | null;
  failure: string | null;
}
export interface AlertEvent {
  event_id: string;
  state: "firing" | "resolved" | "test";
  created_ns: number;
  value: string | null;
  delivery: "none" | "waiting" | "done" | "failed";
  attempts: number;
  next_ns: number;
  answer: string | null;
}

export const OPS = [">", ">=", "<", "<=", "=", "!="];

export const listAlerts = (project: string, signal: AbortSignal): Promise<AlertInfo[]> => json(`/api/alerts?project=${encodeURIComponent(project)}`, { signal });

export const alertUrl = (alert: AlertInfo, more = ""): string => `/api/alerts/${alert.document_id}${more}?project=${encodeURIComponent(alert.project)}`;

export function valueOf(text: string | null): string {
  const value: unknown = text === null ? null : JSON.parse(text);
  return typeof value === "number" ? number(value) : "–";
}

export function stateOf(alert: AlertInfo): "off" | "failing" | "new" | "ok" | "pending" | "firing" {
  if (!alert.rule.enabled) return "off";
  if (alert.failure) return "failing";
  return alert.state ?? "new";
}

const WORDS = { off: "off", failing: "cannot look", new: "not looked at yet", ok: "ok", pending: "pending", firing: "firing" };

export const StateChip = ({ alert }: { alert: AlertInfo }) => <span class={`chip state-${stateOf(alert)}`}>{WORDS[stateOf(alert)]}</span>;
