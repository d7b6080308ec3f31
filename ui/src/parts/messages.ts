/** Conversations of every instrumentation as one shape: messages of parts. docs/guide/conventions.md says who writes what. */

export type Part =
  | { kind: "text"; text: string }
  | { kind: "reasoning"; text: string }
  | { kind: "image"; url: string | null; note: string }
  | { kind: "audio"; url: string | null; note: string }
  | { kind: "call"; id: string | null; name: string; input: unknown }
  | { kind: "result"; id: string | null; name: string | null; output: unknown; failed: boolean }
  | { kind: "document"; id: string | null; score: number | null; text: string; metadata: unknown }
  | { kind: "json"; value: unknown };

export interface Message {
  role: string;
  name: string | null;
  parts: Part[];
}

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown): string | null => (typeof value === "string" ? value : null);

const ROLES: Record<string, string> = { human: "user", ai: "assistant", model: "assistant", developer: "system", function: "tool", "tool-call": "assistant", "tool-response": "tool", HumanMessage: "user", AIMessage: "assistant", SystemMessage: "system", ToolMessage: "tool", request: "user", response: "assistant" };

/** Returns a payload as messages, or null where it is no conversation. */
export function messagesOf(payload: unknown, role: "user" | "assistant"): Message[] | null {
  const value = parsed(payload);
  if (value === null || value === undefined) return [];
  if (typeof value === "string") return [{ role, name: null, parts: [{ kind: "text", text: value }] }];
  if (Array.isArray(value)) {
    if (!value.length) return [];
    if (value.every(isDocument)) return [{ role: "documents", name: null, parts: value.map(documentOf) }];
    if (value.every((each) => typeof each === "string")) return [{ role, name: null, parts: value.map((each) => ({ kind: "text", text: each as string })) }];
    if (value.length === 1 && (Array.isArray(value[0]) || isObject((value[0] as Json | null)?.update))) return messagesOf(Array.isArray(value[0]) ? value[0] : (value[0] as Json).update, role);
    const found = value.map((each) => messageOf(each, role));
    return found.every((each): each is Message => each !== null) ? found : null;
  }
  if (isObject(value)) {
    for (const key of ["messages", "input_messages", "output_messages", "contents", "choices", "generations", "candidates", "documents"]) {
      const inner = value[key];
      if (Array.isArray(inner) && inner.length) {
        const found = messagesOf(inner, role);
        if (!found) continue;
        const system = text(value.system) ?? text(value.instructions) ?? text(value.system_instruction);
        return system ? [{ role: "system", name: null, parts: [{ kind: "text", text: system }] }, ...found] : found;
      }
    }
    const one = messageOf(value, role);
    if (one) return [one];
    // What a framework's function was called with, around the messages.
    const inner = value.inputs ?? value.outputs;
    return isObject(inner) && Array.isArray(inner.messages) ? messagesOf(inner, role) : null;
  }
  return [{ role, name: null, parts: [{ kind: "json", value }] }];
}

function parsed(payload: unknown): unknown {
  if (typeof payload !== "string" || !/^\s*[[{]/.test(payload)) return payload;
  try {
    return JSON.parse(payload);
  } catch {
    return payload;
  }
}

function isDocument(value: unknown): boolean {
  if (!isObject(value)) return false;
  const inner = isObject(value.document) ? value.document : value;
  if ("role" in inner || "tool_calls" in inner) return false;
  return ("score" in inner || "document" in value || "page_content" in inner) && ("content" in inner || "text" in inner || "page_content" in inner || "id" in inner);
}

function documentOf(value: unknown): Part {
  const outer = value as Json;
  const inner = isObject(outer.document) ? { ...outer, ...outer.document } : outer;
  const content = inner.content ?? inner.text ?? inner.page_content ?? "";
  return { kind: "document", id: text(inner.id) ?? text(inner.title) ?? text((inner.metadata as Json | undefined)?.source), score: typeof inner.score === "number" ? inner.score : null, text: typeof content === "string" ? content : JSON.stringify(content), metadata: inner.metadata ?? null };
}

function messageOf(value: unknown, fallback: string): Message | null {
  if (typeof value === "string") return { role: fallback, name: null, parts: [{ kind: "text", text: value }] };
  if (!isObject(value)) return null;
  const inner = isObject(value.message) ? { ...value, ...value.message } : isObject(value.kwargs) ? { ...value, ...value.kwargs } : isObject(value.data) && "content" in value.data ? { ...value, ...value.data } : value;
  const type = text(inner.type);
  if (type === "function_call" || type === "tool_call") return { role: "assistant", name: null, parts: [callOf(inner)] };
  if (type === "function_call_output") return { role: "tool", name: null, parts: [resultOf(inner)] };
  if (type === "reasoning" && !("role" in inner)) return { role: "assistant", name: null, parts: reasoningOf(inner) };
  const named = text(inner.role) ?? (type && ROLES[type] ? type : null) ?? (Array.isArray(inner.id) ? text(inner.id[inner.id.length - 1]) : null) ?? text(inner.kind);
  const hasBody = "content" in inner || "parts" in inner || "contents" in inner || "tool_calls" in inner || "text" in inner || "function_call" in inner;
  if (!named && !hasBody) return null;
  const role = ROLES[named ?? ""] ?? named ?? fallback;
  const parts: Part[] = [];
  const reasoning = text(inner.reasoning) ?? text(inner.reasoning_content);
  if (reasoning) parts.push({ kind: "reasoning", text: reasoning });
  const isTool = role === "tool";
  const body = inner.parts ?? inner.contents ?? inner.content ?? inner.text;
  const bodyParts = partsOf(body);
  if (isTool && !bodyParts.some((part) => part.kind === "result")) parts.push({ kind: "result", id: text(inner.tool_call_id) ?? text(inner.id), name: text(inner.name), output: parsed(body), failed: failedOf(inner, parsed(body)) });
  else parts.push(...bodyParts);
  if (Array.isArray(inner.tool_calls)) for (const call of inner.tool_calls) parts.push(callOf(call as Json));
  if (isObject(inner.function_call)) parts.push(callOf(inner.function_call));
  if (typeof inner.refusal === "string" && inner.refusal) parts.push({ kind: "text", text: inner.refusal });
  return { role, name: isTool ? null : text(inner.name), parts };
}

const failedOf = (value: Json, output: unknown): boolean => value.is_error === true || value.isError === true || value.status === "error" || (isObject(output) && "error" in output && !!output.error);

function callOf(value: Json): Part {
  const outer = isObject(value.tool_call) ? value.tool_call : value;
  const inner = isObject(outer.function) ? { ...outer, ...outer.function } : outer;
  return { kind: "call", id: text(inner.id) ?? text(inner.call_id) ?? text(inner.toolCallId) ?? text(inner.tool_call_id), name: text(inner.name) ?? text(inner.toolName) ?? text(inner.tool_name) ?? "tool", input: parsed(inner.arguments ?? inner.args ?? inner.input ?? inner.parameters ?? null) };
}

function resultOf(value: Json): Part {
  const output = parsed(value.result ?? value.response ?? value.output ?? value.content ?? null);
  return { kind: "result", id: text(value.tool_use_id) ?? text(value.toolCallId) ?? text(value.tool_call_id) ?? text(value.call_id) ?? text(value.id), name: text(value.toolName) ?? text(value.name) ?? text(value.tool_name), output: flat(output), failed: failedOf(value, output) };
}

/** Returns a list of text parts as their text. */
function flat(output: unknown): unknown {
  if (Array.isArray(output) && output.length && output.every((each) => isObject(each) && typeof each.text === "string")) return output.map((each) => (each as Json).text).join("\n");
  if (isObject(output) && (output.type === "text" || output.type === "json") && "value" in output) return output.value;
  return output;
}

const reasoningOf = (value: Json): Part[] => {
  const summary = Array.isArray(value.summary) ? value.summary.map((each) => (isObject(each) ? text(each.text) : text(each))).filter(Boolean).join("\n") : null;
  const found = summary || text(value.text) || text(value.content) || text(value.thinking) || text(value.reasoning);
  return found ? [{ kind: "reasoning", text: found }] : [];
};

function partsOf(body: unknown): Part[] {
  if (body === null || body === undefined || body === "") return [];
  if (typeof body === "string") return [{ kind: "text", text: body }];
  if (Array.isArray(body)) return body.flatMap(partOf);
  return partOf(body);
}

const dataUrl = (kind: unknown, data: unknown): string | null => (typeof data === "string" && data ? (data.startsWith("data:") ? data : `data:${text(kind) ?? "image/png"};base64,${data}`) : null);

function partOf(value: unknown): Part[] {
  if (typeof value === "string") return [{ kind: "text", text: value }];
  if (!isObject(value)) return [{ kind: "json", value }];
  const part = isObject(value.message_content) ? value.message_content : value;
  const type = text(part.type) ?? text(part.part_kind) ?? text(part.kind) ?? "";
  if (isObject(part.functionCall) || isObject(part.function_call)) return [callOf((part.functionCall ?? part.function_call) as Json)];
  if (isObject(part.functionResponse) || isObject(part.function_response)) return [resultOf((part.functionResponse ?? part.function_response) as Json)];
  const inline = (part.inlineData ?? part.inline_data) as Json | undefined;
  if (isObject(inline)) return [mediaOf(text(inline.mimeType) ?? text(inline.mime_type) ?? "", dataUrl(inline.mimeType ?? inline.mime_type, inline.data))];
  if (/^(tool_use|tool[-_]call|function_call|server_tool_use)$/.test(type)) return [callOf(part)];
  if (/^(tool_result|tool[-_]result|tool_call_response|function_call_output|tool-return)$/.test(type)) return [resultOf(part)];
  if (/^(thinking|reasoning|redacted_thinking)$/.test(type)) return reasoningOf(part);
  if (/image/.test(type) || "image_url" in part || (type === "file" && /^image/.test(String(part.mediaType ?? part.mimeType ?? "")))) return [imageOf(part)];
  if (/audio/.test(type)) {
    const audio = (isObject(part.input_audio) ? part.input_audio : isObject(part.audio) ? part.audio : part) as Json;
    return [mediaOf("audio", dataUrl(`audio/${text(audio.format) ?? "wav"}`, audio.data), text(audio.transcript) ?? "audio")];
  }
  if (type === "blob") return [mediaOf(text(part.mime_type) ?? text(part.modality) ?? "", dataUrl(part.mime_type, part.content ?? part.data))];
  if (type === "uri") return [mediaOf(text(part.mime_type) ?? text(part.modality) ?? "image", null, text(part.uri) ?? "a file at an address")];
  const content = part.text ?? part.content ?? part.output_text ?? part.input_text;
  if (typeof content === "string") return [{ kind: "text", text: content }];
  if (isObject(content) && typeof content.value === "string") return [{ kind: "text", text: content.value }];
  return [{ kind: "json", value: part }];
}

function imageOf(part: Json): Part {
  const source = part.source as Json | undefined;
  const image = part.image as Json | string | undefined;
  const given = text((part.image_url as Json | undefined)?.url) ?? text(part.image_url) ?? (isObject(image) ? text(image.url) : text(image)) ?? (isObject(source) ? (dataUrl(source.media_type, source.data) ?? text(source.url)) : null) ?? text(part.data) ?? text(part.url);
  const url = given && (given.startsWith("data:image/") || !/^[a-z]+:/i.test(given)) ? (given.startsWith("data:") ? given : dataUrl(part.mediaType ?? part.mimeType, given)) : null;
  return { kind: "image", url, note: url ? "image" : (given ?? "image").slice(0, 300) };
}

function mediaOf(kind: string, url: string | null, note = kind || "file"): Part {
  return kind.startsWith("audio") ? { kind: "audio", url, note } : { kind: "image", url: url?.startsWith("data:image/") ? url : null, note };
}

export interface Joined extends Message {
  /** Results of this message's calls, by the place of the call among its parts. */
  results: Map<number, Extract<Part, { kind: "result" }>>;
}

/** Joins tool calls with their results: by id; where a result's id is of no call here, or it has none, the next one. */
export function joined(messages: Message[]): Joined[] {
  const found: Joined[] = messages.map((message) => ({ ...message, parts: [...message.parts], results: new Map() }));
  const taken = new Set<Part>();
  const callIds = new Set(found.flatMap((message) => message.parts.flatMap((part) => (part.kind === "call" && part.id ? [part.id] : []))));
  const isOf = (result: Extract<Part, { kind: "result" }>, call: Extract<Part, { kind: "call" }>): boolean => {
    if (call.id && result.id && callIds.has(result.id)) return result.id === call.id;
    return !result.name || result.name === call.name;
  };
  found.forEach((message, at) => {
    message.parts.forEach((part, place) => {
      if (part.kind !== "call") return;
      for (const later of found.slice(at)) {
        const result = later.parts.find((each): each is Extract<Part, { kind: "result" }> => each.kind === "result" && !taken.has(each) && isOf(each, part));
        if (!result) continue;
        taken.add(result);
        message.results.set(place, result);
        return;
      }
    });
  });
  for (const message of found) message.parts.length && (message.parts = message.parts.filter((part) => !taken.has(part)));
  // Places count among the parts that stay: only results went, and they stand in messages of their own or after calls.
  return found.filter((message) => message.parts.length > 0);
}
