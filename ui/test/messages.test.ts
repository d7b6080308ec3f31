import { expect, test } from "vitest";
import { joined, messagesOf } from "../src/parts/messages";

const kinds = (payload: unknown) => messagesOf(payload, "user")!.map((message) => [message.role, ...message.parts.map((part) => part.kind)]);

test("OpenAI chat: tool calls are joined with their results", () => {
  const found = joined(
    messagesOf(
      [
        { role: "user", content: "hi" },
        { role: "assistant", content: null, tool_calls: [{ id: "a", type: "function", function: { name: "look", arguments: '{"x":1}' } }] },
        { role: "tool", tool_call_id: "a", content: '{"error":"no"}' },
      ],
      "user",
    )!,
  );
  expect(found.map((each) => each.role)).toEqual(["user", "assistant"]);
  expect(found[1]!.results.get(0)).toMatchObject({ output: { error: "no" }, failed: true });
});

test("each convention becomes the same kinds of parts", () => {
  expect(kinds([{ role: "user", parts: [{ type: "text", content: "x" }, { type: "tool_call_response", id: "1", response: 3 }] }])).toEqual([["user", "text", "result"]]);
  expect(kinds([{ role: "assistant", content: [{ type: "thinking", thinking: "hm" }, { type: "tool_use", id: "1", name: "f", input: {} }] }])).toEqual([["assistant", "reasoning", "call"]]);
  expect(kinds([{ role: "assistant", content: [{ type: "reasoning", text: "hm" }, { type: "tool-call", toolCallId: "1", toolName: "f", input: {} }] }])).toEqual([["assistant", "reasoning", "call"]]);
  expect(kinds({ contents: [{ role: "model", parts: [{ text: "a" }, { functionCall: { name: "f", args: {} } }, { inlineData: { mimeType: "image/png", data: "AAAA" } }] }] })).toEqual([["assistant", "text", "call", "image"]]);
  expect(kinds([{ type: "function_call", call_id: "1", name: "f", arguments: "{}" }, { type: "function_call_output", call_id: "1", output: "x" }])).toEqual([["assistant", "call"], ["tool", "result"]]);
  expect(kinds({ choices: [{ message: { role: "assistant", content: "x" } }] })).toEqual([["assistant", "text"]]);
  expect(kinds([{ role: "user", contents: [{ message_content: { type: "text", text: "a" } }, { message_content: { type: "image", image: { image: { url: "data:image/png;base64,AA" } } } }] }])[0]![0]).toBe("user");
  expect(kinds([{ document: { id: "d", score: 0.5, content: "x" } }])).toEqual([["documents", "document"]]);
  expect(kinds("plain")).toEqual([["user", "text"]]);
});

test("an address of another host is never an image's source", () => {
  const [message] = messagesOf([{ role: "user", content: [{ type: "image_url", image_url: { url: "https://evil.example/x.png" } }] }], "user")!;
  expect(message!.parts[0]).toMatchObject({ kind: "image", url: null, note: "https://evil.example/x.png" });
});

test("what is no conversation is none", () => {
  expect(messagesOf({ question: 1 }, "user")).toBeNull();
  expect(messagesOf([1, 2], "user")).toBeNull();
});

test("a result whose id is of no call belongs to the next call, and results keep their order", () => {
  const call = (id: string, name: string) => ({ id, function: { name, arguments: {} } });
  const found = joined(
    messagesOf(
      [
        { role: "assistant", tool_calls: [call("fc_1", "look"), call("fc_2", "look")] },
        { role: "tool", tool_call_id: "call_1", content: "first" },
        { role: "tool", tool_call_id: "call_2", content: "second" },
        { role: "assistant", tool_calls: [call("fc_3", "look")] },
        { role: "tool", tool_call_id: "fc_3", content: "third" },
      ],
      "user",
    )!,
  );
  expect(found.map((message) => [...message.results.values()].map((result) => result.output))).toEqual([["first", "second"], ["third"]]);
});

test("messages are found inside what a framework puts around them", () => {
  expect(kinds([{ graph: null, update: { messages: [{ type: "ai", data: { content: "x" } }] } }])).toEqual([["assistant", "text"]]);
  expect(kinds({ inputs: { messages: [{ role: "user", content: "x" }] }, kwargs: {} })).toEqual([["user", "text"]]);
  expect(kinds([{ role: "tool-call", content: "x" }, { role: "tool-response", content: "y" }])).toEqual([["assistant", "text"], ["tool", "result"]]);
});
