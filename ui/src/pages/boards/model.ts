/** What a board is: tiles in places, variables, and how it is looked at first. */
import type { Kind } from "../../parts/chart_data";
import { below, inside, settled, type Place } from "./layout";

export const KINDS: Kind[] = ["line", "area", "bar", "stacked", "scatter", "heatmap", "number", "table", "text"];

export interface Tile extends Place {
  id: string;
  title: string;
  kind: Kind;
  sql: string; // of a text tile its Markdown
}

export interface Variable {
  name: string;
  sql: string; // its first column has the values
}

export interface Board {
  tiles: Tile[];
  variables: Variable[];
  last: string | null; // the time it is looked at first
  refresh_s: number | null;
}

export const EMPTY: Board = { tiles: [], variables: [], last: null, refresh_s: null };

export const newId = (): string => Math.random().toString(36).slice(2, 10);

/** Returns what was saved or pasted as a board; what is missing is filled, and what is no tile is left out. */
export function asBoard(value: unknown): Board {
  const given = (typeof value === "object" && value !== null ? value : {}) as Partial<Board>;
  const seen = new Set<string>();
  const tiles = (Array.isArray(given.tiles) ? given.tiles : []).flatMap((each): Tile[] => {
    if (typeof each !== "object" || each === null || typeof each.sql !== "string") return [];
    const id = typeof each.id === "string" && !seen.has(each.id) ? each.id : newId();
    seen.add(id);
    const place = inside({ x: Number(each.x) || 0, y: Number(each.y) || 0, w: Number(each.w) || 6, h: Number(each.h) || 4 });
    return [{ id, title: String(each.title ?? ""), kind: KINDS.includes(each.kind) ? each.kind : "table", sql: each.sql, ...place }];
  });
  const variables = (Array.isArray(given.variables) ? given.variables : []).flatMap((each): Variable[] => (typeof each?.name === "string" && /^\w+$/.test(each.name) && typeof each.sql === "string" ? [{ name: each.name, sql: each.sql }] : []));
  return { tiles: settled(tiles), variables, last: typeof given.last === "string" ? given.last : null, refresh_s: typeof given.refresh_s === "number" ? given.refresh_s : null };
}

/** Returns a board with one tile more, below the others. */
export const withTile = (board: Board, tile: Omit<Tile, keyof Place | "id">): Board => ({ ...board, tiles: [...board.tiles, { ...tile, id: newId(), x: 0, y: below(board.tiles), w: tile.kind === "number" ? 3 : 6, h: tile.kind === "number" ? 2 : 4 }] });
