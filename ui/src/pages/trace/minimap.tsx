/** The whole trace on a strip of canvas; dragging zooms the waterfall to a part of it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { dark, token } from "../../app/theme";
import { useSize } from "../../parts/size";
import { typeToken } from "../../parts/span_look";
import type { Waterfall } from "./waterfall";

const LANES = 14; // depths that have a lane of their own; deeper ones share the last

export function Minimap({ data, zoom, onZoom }: { data: Waterfall; zoom: [number, number]; onZoom: (zoom: [number, number] | null) => void }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [drag, setDrag] = useState<[number, number] | null>(null);
  const isDark = dark.value;
  const size = useSize(canvas);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const ratio = window.devicePixelRatio || 1;
    const width = (element.width = element.clientWidth * ratio);
    const height = (element.height = element.clientHeight * ratio);
    const pen = element.getContext("2d")!;
    pen.clearRect(0, 0, width, height);
    const colors = new Map<string, string>();
    const deepest = Math.min(LANES, data.depth.reduce((a, b) => Math.max(a, b), 0) + 1);
    const lane = height / Math.max(4, deepest);
    const color = (row: number): string => {
      if (data.failed[row]) return token("bad");
      const name = typeToken(data.type(row));
      let found = colors.get(name);
      if (!found) colors.set(name, (found = token(name)));
      return found;
    };
    pen.globalAlpha = 0.8;
    const bad = token("bad");
    const drawn = new Map<number, number>(); // per lane the last pixel: spans narrower than one share it
    for (let row = 0; row < data.count; row++) {
      const x = Math.floor((data.start[row]! / data.totalNs) * width);
      const w = Math.max(1, (data.duration[row]! / data.totalNs) * width);
      const level = Math.min(data.depth[row]!, deepest - 1);
      if (w <= 1 && drawn.get(level) === x && !data.failed[row]) continue;
      drawn.set(level, x);
      pen.fillStyle = data.failed[row] ? bad : color(row);
      pen.fillRect(x, level * lane + 1, w, Math.max(1, lane - 1));
    }
  }, [data, isDark, size]);
  const at = (event: PointerEvent): number => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  };
  const zoomed = zoom[0] > 0 || zoom[1] < data.totalNs;
  const view = drag ? [Math.min(...drag), Math.max(...drag)] : [zoom[0] / data.totalNs, zoom[1] / data.totalNs];
  return (
    <div
      class="minimap"
      onPointerDown={(event) => {
        (event.currentTarget as Element).setPointerCapture(event.pointerId);
        const x = at(event as unknown as PointerEvent);
        setDrag([x, x]);
      }}
      onPointerMove={(event) => drag && setDrag([drag[0], at(event as unknown as PointerEvent)])}
      onPointerUp={() => {
        if (drag && Math.abs(drag[1] - drag[0]) > 0.004) onZoom([Math.min(...drag) * data.totalNs, Math.max(...drag) * data.totalNs]);
        else onZoom(null);
        setDrag(null);
      }}
    >
      <canvas ref={canvas} role="img" aria-label="The whole trace; drag to zoom" />
      {(zoomed || drag) && (
        <>
          <div class="shade" style={{ left: 0, width: `${view[0]! * 100}%` }} />
          <div class="shade" style={{ right: 0, width: `${(1 - view[1]!) * 100}%` }} />
        </>
      )}
    </div>
  );
}
