/** One tile: its statement's answer as a chart, a table or a number, with the ways to look closer. */
import { aborted } from "../../api/http";
import { equals, query, type Answer } from "../../api/query";
import { navigate, pageUrl, setParams } from "../../app/location";
import { Chart } from "../../parts/chart";
import { chartData } from "../../parts/chart_data";
import { Text } from "../../parts/conversation";
import { useLoad } from "../../parts/load";
import { Menu, type MenuItem } from "../../parts/overlay";
import { ResultTable } from "../../parts/result_table";
import { FailureNote } from "../../parts/states";
import { inTurn } from "../../parts/turns";
import type { Tile } from "./model";
import { conditionOf, expressionOf, filled, stepOf, type Values, type Window } from "./statement";

const MOST_ROWS = 5000; // of a tile; "Open as SQL" has all

export interface TileContext {
  project: string;
  window: Window;
  now: number;
  values: Values;
  tick: number;
}

export function TileBody({ tile, context }: { tile: Tile; context: TileContext }) {
  const { project, window, now, values, tick } = context;
  const sql = filled(tile.sql, window, now, values);
  const found = useLoad<Answer>(tile.kind === "text" ? null : JSON.stringify([project, sql, tick]), (signal) => inTurn(signal, () => query(sql, { project, signal, maxRows: MOST_ROWS })));
  if (tile.kind === "text") return <div class="tile-text"><Text text={tile.sql} /></div>;
  if (found.error && !aborted(found.error)) return <FailureNote error={found.error} />;
  if (!found.data) return <div class="wait" role="status">Asking…</div>;
  if (!found.data.rows.length) return <p class="muted tile-empty">No rows in this time</p>;
  return (
    <div class="tile-answer" aria-busy={found.loading}>
      {tile.kind === "table" ? <ResultTable answer={found.data} project={project} widest={200} /> : <Chart answer={found.data} kind={tile.kind} onPick={(x, label) => navigate(tracesUrl(tile, context, found.data!, x, label))} />}
    </div>
  );
}

/** Returns the address of the traces that a point of a chart is made of. */
export function tracesUrl(tile: Tile, context: TileContext, answer: Answer, x: number, label: string | null): string {
  const { project, window, now, values } = context;
  const parts = [conditionOf(filled(tile.sql.replace(/\$(from|to)\b/gi, "$$$1_"), window, now, values))];
  const data = chartData(answer);
  const time = data?.time ?? false;
  const axis = data?.axis ?? answer.columns[0]!.name;
  const path = label !== null && !time ? expressionOf(tile.sql, axis) : null;
  if (path) parts.push(equals(path, label === "none" ? null : label));
  const from = time ? x * 1000 : window.from;
  const to = time ? x * 1000 + stepOf(window, now) * 1000 : window.to;
  return pageUrl(project, "traces", { view: parts.some((part) => part && part !== "is_root") ? "spans" : null, where: parts.filter(Boolean).join(" AND "), from: from ? String(Math.floor(from)) : null, to: to ? String(Math.ceil(to)) : null, last: from || to ? null : "all" });
}

export function TileMenu(props: { tile: Tile; context: TileContext; write: boolean; onEdit: () => void; onCopy: () => void; onRemove: () => void }) {
  const { tile, context } = props;
  const items: (MenuItem | null)[] = [{ label: "Full screen", run: () => setParams({ full: tile.id }) }];
  if (tile.kind !== "text") items.push({ label: "Open as SQL", href: pageUrl(context.project, "ask", { sql: filled(tile.sql, context.window, context.now, context.values), show: tile.kind === "table" ? null : "chart" }) });
  if (props.write) items.push(null, { label: "Edit…", run: props.onEdit }, { label: "Duplicate", run: props.onCopy }, { label: "Remove", run: props.onRemove });
  return <Menu class="btn plain small" align="right" name={`${tile.title || "Tile"}: more`} label="⋯" items={items} />;
}
