/** Rows as bodies of NDJSON. */

import { stringify } from "./json.js";

/** Characters of a body before it is sent; the server takes 64 MiB. */
const BODY_CHARACTERS = 8 * 1024 * 1024;
/** Rows of a body: what a server is done with in about a second. */
const BODY_ROWS = 50_000;

export async function* batches(
  rows: Iterable<object> | AsyncIterable<object>,
): AsyncGenerator<{ body: string; rows: number }, void, undefined> {
  let lines: string[] = [];
  let size = 0;
  for await (const row of rows) {
    const line = stringify(row) ?? "null";
    lines.push(line);
    size += line.length;
    if (size >= BODY_CHARACTERS || lines.length >= BODY_ROWS) {
      yield { body: `${lines.join("\n")}\n`, rows: lines.length };
      lines = [];
      size = 0;
    }
  }
  if (lines.length) yield { body: `${lines.join("\n")}\n`, rows: lines.length };
}
