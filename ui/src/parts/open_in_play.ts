/** Opens a call of a model in Play: messages, model, parameters and tools as they were sent, with the call as the row. */
import { exactJson } from "../api/exact";
import { request } from "../api/http";
import type { Row } from "../api/query";
import { navigate, pageUrl } from "../app/location";
import { createNamed } from "./new_play";
import { toast } from "./overlay";

interface Replay {
  messages: unknown[];
  template: string;
  provider: string;
  model: string;
  parameters: Record<string, unknown>;
  tools: unknown[];
  response_schema: unknown;
  notes: string[];
}

export async function openInPlay(project: string, row: Row): Promise<void> {
  const span = { trace_id: String(row.trace_id), span_id: String(row.span_id) };
  const inProject = `project=${encodeURIComponent(project)}`;
  try {
    const sent = exactJson(await (await request(`/api/play/from-span?${inProject}`, { body: span })).text()) as Replay;
    const { messages, template, provider, model, parameters, tools, response_schema } = sent;
    const column = { name: "A", messages, template, provider, model, parameters, tools, response_schema };
    const body = { rows: { source: "span", ...span }, columns: { c1: column }, order: ["c1"] };
    const play = await createNamed<typeof body, { name: string; document_id: string }>(project, `${String(row.name)} again`, body);
    navigate(pageUrl(project, `play/${play.document_id}`, { panel: "prompt", col: "c1" }));
    if (sent.notes.length) toast(sent.notes.join(" "));
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error));
  }
}
