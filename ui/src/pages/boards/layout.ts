/** Where tiles lie: twelve columns, rows of one height; a tile that is moved pushes others down, and nothing floats. */

export interface Place {
  x: number;
  y: number;
  w: number;
  h: number;
}

export const COLUMNS = 12;
export const LEAST_W = 2;
export const LEAST_H = 1;
const MOST_H = 20;

const overlap = (a: Place, b: Place): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

/** Returns a place inside the columns. */
export function inside(place: Place): Place {
  const w = Math.max(LEAST_W, Math.min(COLUMNS, Math.round(place.w)));
  return { w, h: Math.max(LEAST_H, Math.min(MOST_H, Math.round(place.h))), x: Math.max(0, Math.min(COLUMNS - w, Math.round(place.x))), y: Math.max(0, Math.round(place.y)) };
}

/** Returns tiles of which none overlaps another and each lies as high as those before it allow; `first` keeps its place over others. */
export function settled<Tile extends Place & { id: string }>(tiles: Tile[], first?: string): Tile[] {
  const inOrder = [...tiles].sort((a, b) => a.y - b.y || Number(b.id === first) - Number(a.id === first) || a.x - b.x);
  const laid: Tile[] = [];
  for (const tile of inOrder) {
    const placed = { ...tile, ...inside(tile) };
    while (laid.some((other) => overlap(other, placed))) placed.y++;
    while (placed.y > 0 && !laid.some((other) => overlap(other, { ...placed, y: placed.y - 1 }))) placed.y--;
    laid.push(placed);
  }
  return tiles.map((tile) => laid.find((each) => each.id === tile.id)!);
}

/** Returns tiles after one got another place. */
export function moved<Tile extends Place & { id: string }>(tiles: Tile[], id: string, place: Partial<Place>): Tile[] {
  return settled(
    tiles.map((tile) => (tile.id === id ? { ...tile, ...inside({ ...tile, ...place }) } : tile)),
    id,
  );
}

export const below = (tiles: Place[]): number => tiles.reduce((most, tile) => Math.max(most, tile.y + tile.h), 0);
