import { expect, test } from "vitest";
import { casesOf, cells } from "../src/pages/datasets/case_file";

test("a list, a line each and one value are cases; other fields are metadata", () => {
  const wanted = [{ input: "hi", expected: "ho", metadata: { tier: "pro" } }];
  expect(casesOf('[{"input":"hi","expected":"ho","tier":"pro"}]', "a.json")).toEqual(wanted);
  expect(casesOf('{"input":"hi","expected":"ho","tier":"pro"}\n\n', "a.jsonl")).toEqual(wanted);
  expect(casesOf('"one"\n2\n', "a.jsonl")).toEqual([{ input: "one" }, { input: 2 }]);
  expect(casesOf('{"question":"hi","expected":"ho"}', "a.json")).toEqual([{ input: { question: "hi" }, expected: "ho" }]);
});

test("cells may hold commas, quotes, line ends and JSON; digits stay text", () => {
  expect(cells('a,"b, ""c""\nd"\r\n,x\n', ",")).toEqual([["a", 'b, "c"\nd'], ["", "x"]]);
  expect(casesOf('\ufeffinput,expected,tags,order\n"one, two",yes,"[""a""]",007\nplain,,,\n', "a.csv")).toEqual([{ input: "one, two", expected: "yes", tags: ["a"], metadata: { order: "007" } }, { input: "plain", metadata: { order: "" } }]);
});

test("a file without cases says what to do", () => {
  expect(() => casesOf("", "a.csv")).toThrow("no rows");
  expect(() => casesOf("hello there", "a.txt")).toThrow("Line 1 is no JSON");
});
