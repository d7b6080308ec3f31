/** Texts against each other, word by word; values as indented JSON, so that a changed field is a changed line. */
import { diffLines, diffWordsWithSpace, type Change } from "diff";
import { useMemo } from "preact/hooks";

const WORDS_CHARACTERS = 8000; // of both texts together; longer ones are compared by lines
const MOST_EDITS = 4000; // beyond, two texts have too little in common for a difference to be read

/** Returns a payload as text that a person compares: what an assistant said, else JSON. */
export function comparable(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value;
  const said = saidText(value);
  return said ?? JSON.stringify(value, null, 2);
}

function saidText(value: unknown): string | null {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const only = Object.values(value);
    if (only.length === 1 && typeof only[0] === "string") return only[0];
  }
  if (Array.isArray(value) && value.length === 1) return saidText(value[0]);
  if (typeof value === "object" && value !== null && "content" in value && typeof (value as { content: unknown }).content === "string") return (value as { content: string }).content;
  return null;
}

export function changes(before: string, after: string): Change[] | null {
  if (before === after) return [{ value: after, added: false, removed: false, count: 1 }];
  const found = before.length + after.length > WORDS_CHARACTERS ? diffLines(before, after, { maxEditLength: MOST_EDITS }) : diffWordsWithSpace(before, after, { maxEditLength: MOST_EDITS });
  return found ? gathered(found) : null;
}

/** Joins changes that only white space parts: people read `-a b +c d`, not word against word. */
function gathered(all: Change[]): Change[] {
  const result: Change[] = [];
  let removed = "";
  let added = "";
  const flush = () => {
    if (removed) result.push({ value: removed, removed: true, added: false, count: 1 });
    if (added) result.push({ value: added, added: true, removed: false, count: 1 });
    removed = added = "";
  };
  all.forEach((change, i) => {
    if (change.removed) removed += change.value;
    else if (change.added) added += change.value;
    else if (/^\s*$/.test(change.value) && (removed || added) && i + 1 < all.length) {
      removed += change.value;
      added += change.value;
    } else {
      flush();
      result.push(change);
    }
  });
  flush();
  return result;
}

export function Words({ before, after }: { before: string; after: string }) {
  const found = useMemo(() => changes(before, after), [before, after]);
  if (!found)
    return (
      <>
        <del>{before}</del> <ins>{after}</ins>
      </>
    );
  return (
    <>
      {found.map((change, i) => (change.added ? <ins key={i}>{change.value}</ins> : change.removed ? <del key={i}>{change.value}</del> : <span key={i}>{change.value}</span>))}
    </>
  );
}
