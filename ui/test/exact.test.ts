import { expect, test } from "vitest";
import { Exact, exactJson } from "../src/api/exact";
import { literal } from "../src/api/query";
import { oneLine } from "../src/format";

test("whole numbers keep every digit, and others stay numbers", () => {
  const told = "source" in (JSON as object) || "rawJSON" in JSON; // Node 22 and browsers of 2025 tell the source of a number
  const value = exactJson('{"key": -3798131676625877547, "at": 1795724818285158700, "small": 9007199254740991, "share": 0.12345678901234567, "text": "1795724818285158701"}') as Record<string, unknown>;
  expect(value.small).toBe(9007199254740991);
  expect(value.share).toBe(0.12345678901234567);
  expect(value.text).toBe("1795724818285158701");
  if (!told) return;
  expect(value.key).toBeInstanceOf(Exact);
  expect(oneLine(value.key)).toBe("-3798131676625877547");
  expect(literal(value.key)).toBe("-3798131676625877547");
  expect(JSON.stringify({ a: [value.key] })).toBe('{"a":[-3798131676625877547]}');
  expect(Number(value.at) / 1e6).toBeCloseTo(1795724818285.1587);
});
