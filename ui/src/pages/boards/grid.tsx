/** The tiles in their places: dragged by the head, resized by the corner, and both by the arrow keys. */
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";
import { COLUMNS, below, inside, moved, type Place } from "./layout";
import type { Tile } from "./model";

const ROW_PIXELS = 64;
const GAP_PIXELS = 12;

interface Props {
  tiles: Tile[];
  write: boolean;
  onPlace: (id: string, place: Partial<Place>) => void;
  body: (tile: Tile) => ComponentChildren;
  menu: (tile: Tile) => ComponentChildren;
}

interface Drag {
  id: string;
  resize: boolean;
  start: Place;
  x: number;
  y: number;
  place: Place;
}

const STEPS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function Grid(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [drag, setDrag] = useState<Drag | null>(null);
  const shown = drag ? moved(props.tiles, drag.id, drag.place) : props.tiles;
  const begin = (event: PointerEvent, tile: Tile, resize: boolean) => {
    if (!props.write || event.button !== 0 || (!resize && (event.target as Element).closest("button,a"))) return;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    setDrag({ id: tile.id, resize, start: tile, x: event.clientX, y: event.clientY, place: tile });
  };
  const move = (event: PointerEvent) => {
    if (!drag) return;
    const column = (box.current!.clientWidth + GAP_PIXELS) / COLUMNS;
    const dx = (event.clientX - drag.x) / column;
    const dy = (event.clientY - drag.y) / (ROW_PIXELS + GAP_PIXELS);
    const { start } = drag;
    setDrag({ ...drag, place: inside(drag.resize ? { ...start, w: Math.min(start.w + dx, COLUMNS - start.x), h: start.h + dy } : { ...start, x: start.x + dx, y: start.y + dy }) });
  };
  const end = () => {
    if (drag && JSON.stringify(drag.place) !== JSON.stringify(drag.start)) props.onPlace(drag.id, drag.place);
    setDrag(null);
  };
  const keys = (event: KeyboardEvent, tile: Tile) => {
    const step = STEPS[event.key];
    if (!step || !props.write || event.target !== event.currentTarget || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const [dx, dy] = step;
    if (event.shiftKey) props.onPlace(tile.id, { w: Math.min(tile.w + dx, COLUMNS - tile.x), h: tile.h + dy });
    else props.onPlace(tile.id, { x: tile.x + dx, y: dy > 0 ? under(props.tiles, tile) : dy < 0 ? over(props.tiles, tile) : tile.y });
  };
  return (
    <div class="body board">
      <div class="board-grid" ref={box} style={{ height: `${below(shown) * (ROW_PIXELS + GAP_PIXELS)}px` }} onPointerMove={move} onPointerUp={end} onPointerCancel={() => setDrag(null)}>
        {shown.map((tile) => (
          <section
            key={tile.id}
            class={`tile ${drag?.id === tile.id ? "dragged" : ""} ${props.write ? "movable" : ""}`}
            aria-label={tile.title || "Tile"}
            tabIndex={props.write ? 0 : -1}
            aria-describedby={props.write ? "tile-help" : undefined}
            onKeyDown={(event) => keys(event, tile)}
            style={{ left: `calc((100% + ${GAP_PIXELS}px) / ${COLUMNS} * ${tile.x})`, width: `calc((100% + ${GAP_PIXELS}px) / ${COLUMNS} * ${tile.w} - ${GAP_PIXELS}px)`, top: `${tile.y * (ROW_PIXELS + GAP_PIXELS)}px`, height: `${tile.h * (ROW_PIXELS + GAP_PIXELS) - GAP_PIXELS}px` }}
          >
            <header onPointerDown={(event) => begin(event, tile, false)}>
              <h2 class="cut" title={tile.title}>
                {tile.title}
              </h2>
              {props.menu(tile)}
            </header>
            {props.body(tile)}
            {props.write && <span class="resize" aria-hidden="true" onPointerDown={(event) => begin(event, tile, true)} />}
          </section>
        ))}
        <span id="tile-help" class="sr">
          Arrow keys move the tile, with Shift they resize it.
        </span>
      </div>
    </div>
  );
}

const besides = (tiles: Tile[], tile: Tile): Tile[] => tiles.filter((each) => each.id !== tile.id && each.x < tile.x + tile.w && tile.x < each.x + each.w);

/** Returns the row of the tile that lies over another one, whose place it takes. */
const over = (tiles: Tile[], tile: Tile): number => besides(tiles, tile).filter((each) => each.y < tile.y).sort((a, b) => b.y - a.y)[0]?.y ?? 0;

/** Returns the row below the tile that lies under another one: one step down by keyboard passes it. */
function under(tiles: Tile[], tile: Tile): number {
  const next = besides(tiles, tile).filter((each) => each.y >= tile.y + tile.h).sort((a, b) => a.y - b.y)[0];
  return next ? next.y + next.h - tile.h + 1 : tile.y;
}
