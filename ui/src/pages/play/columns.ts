/** The columns with the prompts that they name: versions are read once, since a version never changes. */
import { useEffect, useReducer } from "preact/hooks";
import { effective, getPrompt, isEdited, type Column, type Prompt, type PromptBody } from "./model";

export interface Way {
  column: Column;
  name: string;
  /** The version of a prompt that it names, null while that is read or where there is none. */
  base: Prompt | null;
  failed: unknown;
  whole: PromptBody;
  edited: boolean;
}

const versions = new Map<string, Prompt | { failed: unknown }>();
const asked = new Set<string>();
const keyOf = (project: string, column: Column): string => (column.prompt ? `${project}\n${column.prompt.slug}\n${column.prompt.version}` : "");

/** Notes a prompt that was just saved or read, with its labels as they are now. */
export function notePrompt(prompt: Prompt, project: string): void {
  versions.set(`${project}\n${prompt.slug}\n${prompt.version}`, prompt);
  for (const [key, known] of versions) if ("slug" in known && known.slug === prompt.slug && key.startsWith(`${project}\n`)) versions.set(key, { ...known, labels: prompt.labels });
}

export function useColumns(project: string, columns: [string, Column][]): Map<string, Way> {
  const [, again] = useReducer<number, void>((n) => n + 1, 0);
  const wanted = columns.map(([, column]) => keyOf(project, column)).join("\u0001");
  useEffect(() => {
    for (const [, column] of columns) {
      const key = keyOf(project, column);
      if (!key || versions.has(key) || asked.has(key)) continue;
      asked.add(key);
      getPrompt(project, column.prompt!.slug, column.prompt!.version)
        .then((found) => versions.set(key, found), (failed) => versions.set(key, { failed }))
        .finally(() => {
          asked.delete(key);
          again();
        });
    }
  }, [wanted]);
  return new Map(
    columns.map(([id, column], i) => {
      const found = versions.get(keyOf(project, column));
      const base = found && "slug" in found ? found : null;
      return [id, { column, name: column.name || String.fromCharCode(65 + i), base, failed: found && "failed" in found ? found.failed : null, whole: effective(column, base?.body ?? null), edited: !!column.prompt && isEdited(column) }];
    }),
  );
}
