/** What the URL says of TRACES: view, filter, time, columns, order, facets. */
import { params, setParams } from "../../app/location";
import { readRange, type Range } from "../../parts/range";

export type View = "traces" | "spans" | "sessions" | "users";
export const VIEWS: View[] = ["traces", "spans", "sessions", "users"];

export interface TracesState {
  view: View;
  where: string;
  range: Range;
  columns: string[] | null;
  sort: string;
  facets: string[];
  chart: "counts" | "heat";
  live: boolean;
  row: string | null;
}

export function readState(): TracesState {
  const given = params.value;
  const view = given.get("view") as View;
  return {
    view: VIEWS.includes(view) ? view : "traces",
    where: given.get("where") ?? "",
    range: readRange(given),
    columns: given.get("cols") === null ? null : given.get("cols")!.split("|").filter(Boolean),
    sort: given.get("sort") ?? "-time",
    facets: (given.get("facets") ?? "").split("|").filter(Boolean),
    chart: given.get("chart") === "heat" ? "heat" : "counts",
    live: given.get("live") === "1",
    row: given.get("row"),
  };
}

export const setWhere = (where: string): void => setParams({ where: where || null, row: null });
