import { expect, test } from "vitest";
import { moved, settled } from "../src/pages/boards/layout";
import { asBoard } from "../src/pages/boards/model";
import { conditionOf, expressionOf, filled, namesIn, stepOf } from "../src/pages/boards/statement";

const at = (id: string, x: number, y: number, w: number, h: number) => ({ id, x, y, w, h });
const overlaps = (tiles: ReturnType<typeof at>[]) => tiles.some((a, i) => tiles.slice(i + 1).some((b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h));

test("a tile that is moved pushes others down, and nothing floats", () => {
  const tiles = [at("a", 0, 0, 6, 4), at("b", 6, 0, 6, 4), at("c", 0, 4, 12, 2)];
  const after = moved(tiles, "c", { y: 0 });
  expect(overlaps(after)).toBe(false);
  expect(after.find((tile) => tile.id === "c")!.y).toBe(0);
  expect(after.find((tile) => tile.id === "a")!.y).toBe(2);
  expect(settled([at("a", 0, 9, 6, 4)])[0]!.y).toBe(0);
});

test("no board of any places has tiles that overlap or stand outside", () => {
  let seed = 7;
  const draw = (most: number) => (seed = (seed * 48_271) % 2_147_483_647) % most;
  for (let round = 0; round < 200; round++) {
    const tiles = Array.from({ length: 8 }, (_, i) => at(String(i), draw(20) - 4, draw(12) - 2, draw(16) - 1, draw(24) - 1));
    const after = moved(settled(tiles), String(draw(8)), { x: draw(14), y: draw(10), w: draw(14) });
    expect(overlaps(after)).toBe(false);
    expect(after.every((tile) => tile.x >= 0 && tile.x + tile.w <= 12 && tile.y >= 0 && tile.w >= 2 && tile.h >= 1)).toBe(true);
  }
});

test("names are filled outside of texts and comments alone, and values are quoted", () => {
  const window = { from: 0, to: 3_600_000 };
  expect(filled("SELECT '$from', $step -- $to\nWHERE a >= $from AND m = $model", window, 0, { model: "o'neil" })).toBe("SELECT '$from', INTERVAL '60 seconds' -- $to\nWHERE a >= TIMESTAMPTZ '1970-01-01T00:00:00.000Z' AND m = 'o''neil'");
  expect(filled("$nosuch = $model", window, 0, { model: null })).toBe("$nosuch = NULL");
  expect(namesIn("SELECT $a, '$b', $From")).toEqual(["a", "from"]);
  expect(stepOf({ from: null, to: null }, 0)).toBe(86_400);
});

test("the condition and the expression of a column are found in plain statements", () => {
  const sql = "SELECT time_bucket($step, start_time) AS time, metadata.model AS model, count(*) FROM spans WHERE type = 'llm' AND start_time >= $from GROUP BY ALL";
  expect(conditionOf(sql)).toBe("type = 'llm'");
  expect(expressionOf(sql, "model")).toBe("metadata.model");
  expect(expressionOf(sql, "time")).toBe(null);
  expect(conditionOf("SELECT 1 FROM (SELECT * FROM spans WHERE a = 1)")).toBe("");
});

test("what is pasted becomes a board, whatever it is", () => {
  expect(asBoard(null).tiles).toEqual([]);
  expect(asBoard({ tiles: [1, null, { sql: 5 }, { sql: "SELECT 1", kind: "evil", x: "9", w: 99 }], variables: [{ name: "a b", sql: "" }, null] })).toMatchObject({ tiles: [{ kind: "table", x: 0, w: 12 }], variables: [] });
});
