import { expect, test } from "vitest";
import { applied, columnsOf, effective, promptText, variablesOf, type PlayBody } from "../src/pages/play/model";
import { codeOptions } from "../src/pages/play/fields/code_field";
import { openTag, partsOf } from "../src/pages/play/fields/template_field";

const body: PlayBody = { columns: { a: { name: "A", model: "m", experiment: "run 1", key: "k" }, b: { messages: [{ role: "user", content: "x" }] } }, order: ["b"], scorers: ["one"] };

test("an edit sets one place and leaves the rest the same object", () => {
  const next = applied(body, { path: ["columns", "b", "messages", 0, "content"], value: "y" });
  expect(next.columns!.b!.messages![0]!.content).toBe("y");
  expect(next.columns!.a).toBe(body.columns!.a);
  expect(body.columns!.b!.messages![0]!.content).toBe("x");
});

test("an edit of what is gone is none, one at a list's end appends, a deletion takes away", () => {
  expect(applied(body, { path: ["columns", "gone", "model"], value: "x" })).toBe(body);
  expect(applied(body, { path: ["scorers", 1], value: "two" }).scorers).toEqual(["one", "two"]);
  expect(applied(body, { path: ["scorers", 3], value: "two" })).toBe(body);
  expect(Object.keys(applied(body, { path: ["columns", "a"], delete: true }).columns!)).toEqual(["b"]);
});

test("what runs have set stays when a column is set", () => {
  const next = applied(body, { path: ["columns", "a"], value: { name: "new", experiment: "forged" } });
  expect(next.columns!.a).toEqual({ name: "new", experiment: "run 1", key: "k" });
});

test("columns that the order lacks come last", () => {
  expect(columnsOf(body).map(([id]) => id)).toEqual(["b", "a"]);
});

test("a column is its prompt with its own in place of what is not null", () => {
  const base = { messages: [{ role: "user", content: "base" }], template: "mustache" as const, provider: "p", model: "m", parameters: { temperature: 1 }, tools: [], response_schema: null, max_turns: 8 };
  expect(effective({ model: "other", parameters: null }, base)).toMatchObject({ provider: "p", model: "other", parameters: { temperature: 1 } });
  expect(promptText(base)).toContain("user\nbase");
});

test("variables are the paths of the rows", () => {
  const rows = [{ id: "1", input: { question: "why", "odd key!": 1, deep: { list: [1] } }, expected: null, metadata: { tier: "pro" }, tags: null, origin: null }];
  expect(variablesOf(rows).map((each) => each.path)).toEqual(["input", "input.question", "input.deep", "input.deep.list", "metadata", "metadata.tier"]);
});

test("a name that no row has is told from others, but for those of a section's items", () => {
  const known = new Set(["input.list"]);
  const kinds = partsOf("a {{input.list}} {{nothing}} {{#input.list}}{{name}}{{/input.list}} {{other}}", known);
  expect(kinds.filter((each) => each.kind === "unknown").map((each) => each.text)).toEqual(["{{nothing}}", "{{other}}"]);
  expect(kinds.map((each) => each.text).join("")).toBe("a {{input.list}} {{nothing}} {{#input.list}}{{name}}{{/input.list}} {{other}}");
});

test("a tag that is open is found, one that is closed is not", () => {
  expect(openTag("say {{input.q", 13)).toEqual({ from: 6, prefix: "input.q" });
  expect(openTag("say {{input}} ", 14)).toBeNull();
});

test("code is completed by arguments, keys, members and modules, and not in comments", () => {
  expect(codeOptions("def score(output):\n    return ou", []).options[0]).toBe("output");
  expect(codeOptions('x = input["q', ["question", "other"]).options).toEqual(["question"]);
  expect(codeOptions("import re", []).options).toEqual([]);
  expect(codeOptions("re.find", []).options).toEqual(["findall", "finditer"]);
  expect(codeOptions("# ou", []).options).toEqual([]);
});
