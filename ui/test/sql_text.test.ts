import { expect, test } from "vitest";
import { caretAt, choose, chosen, hasTerm, terms, toggled } from "../src/parts/sql_text";

test("terms are what AND joins at the top", () => {
  expect(terms("a = 1 AND b BETWEEN 1 AND 2 AND (c = 1 OR d = 'x AND y')")).toEqual(["a = 1", "b BETWEEN 1 AND 2", "(c = 1 OR d = 'x AND y')"]);
  expect(terms("a = 1 OR b = 2")).toEqual(["a = 1 OR b = 2"]);
  expect(terms("")).toEqual([]);
});

test("a term added to a condition with OR keeps its meaning", () => {
  expect(toggled("a = 1 OR b = 2", "c = 3")).toBe("(a = 1 OR b = 2) AND c = 3");
});

test("a term that is there goes away", () => {
  expect(toggled("a = 1 AND  b = 2", "b = 2")).toBe("a = 1");
  expect(hasTerm("a  = 1", "a = 1")).toBe(true);
});

test("values of a facet gather in one term", () => {
  const one = choose("", "type", "'llm'");
  const two = choose(one, "type", "'it''s, (odd)'");
  expect(two).toBe("type IN ('llm', 'it''s, (odd)')");
  expect(chosen(two, "type")).toEqual(["'llm'", "'it''s, (odd)'"]);
  expect(choose(two, "type", "'llm'")).toBe("type = 'it''s, (odd)'");
  expect(choose("types = 'x'", "type", "'a'")).toBe("types = 'x' AND type = 'a'");
});

test("the caret tells what is being typed", () => {
  expect(caretAt("metadata.mo", 11)).toMatchObject({ kind: "path", prefix: "metadata.mo", from: 0 });
  expect(caretAt("type = 'll", 10)).toMatchObject({ kind: "value", prefix: "ll", from: 7, path: "type" });
  expect(caretAt("type IN ('a', ", 14)).toMatchObject({ kind: "value", path: "type" });
  expect(caretAt("a = 1 AND ", 10)).toMatchObject({ kind: "path", prefix: "" });
  expect(caretAt("a = 'x' ", 8)).toMatchObject({ kind: "none" });
});
