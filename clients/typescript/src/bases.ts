/** Which earlier run a run is compared with, and which runs were whole: as the Python client decides. */
import type { Client } from "./client.js";

export type State = "running" | "done" | "interrupted";

/** The key of an experiment's metadata under which its state stands, where it is not done. */
const STATE = "eval";

type Metadata = Readonly<Record<string, unknown>>;
interface Known extends Record<string, unknown> {
  readonly name: string;
  readonly dataset: string | null;
  readonly metadata: unknown;
}

/** Returns the metadata of an experiment that is in a state; one that is done has the user's alone. */
export function withState(metadata: Metadata | undefined, state: State): Metadata {
  return { ...metadata, ...(state === "done" ? {} : { [STATE]: { state } }) };
}

/** Returns the last whole run on the same dataset, else the last that shares inputs, undefined where there is none. */
export async function chosenBase(client: Client, project: string, name: string, dataset: string | undefined): Promise<string | undefined> {
  const sql = "SELECT name, dataset, metadata FROM experiments WHERE project = $project ORDER BY coalesce(created, start_time) DESC, name";
  const { rows } = await client.sql<Known>(sql, { project });
  const whole = rows.filter((record) => record.name !== name && isWhole(record.metadata));
  const same = dataset === undefined ? undefined : whole.find((record) => record.dataset === dataset);
  if (same) return same.name;
  const shared = await withSharedInputs(client, project, name);
  return whole.find((record) => shared.has(record.name))?.name;
}

function isWhole(metadata: unknown): boolean {
  const told = (metadata as Record<string, { state?: string } | undefined> | null)?.[STATE];
  const play = (metadata as Record<string, { kept?: boolean } | undefined> | null)?.["play"];
  // A run of Play that nobody keeps is deleted some day.
  return told?.state !== "running" && told?.state !== "interrupted" && play?.kept !== false;
}

async function withSharedInputs(client: Client, project: string, name: string): Promise<Set<string>> {
  const sql =
    "SELECT DISTINCT experiment FROM spans WHERE project = $project AND is_root AND experiment <> $name AND input_key IN " +
    "(SELECT input_key FROM spans WHERE project = $project AND is_root AND experiment = $name)";
  const { rows } = await client.sql<{ experiment: string }>(sql, { project, name });
  return new Set(rows.map((row) => row.experiment));
}
