/** A value as JSON that is typed: what is no JSON yet stays in the field and is said. */
import { useEffect, useState } from "preact/hooks";
import { exactJson } from "../../../api/exact";

export const written = (value: unknown): string => (value === null || value === undefined ? "" : JSON.stringify(value, null, 2));

export function JsonField(props: { label: string; value: unknown; want: "object" | "list" | "any"; placeholder?: string; rows?: number; readOnly?: boolean; onValue: (value: unknown) => void }) {
  const [text, setText] = useState(written(props.value));
  const [wrong, setWrong] = useState("");
  const shown = written(props.value);
  useEffect(() => {
    // Somebody else changed it.
    if (!same(text, props.value)) {
      setText(shown);
      setWrong("");
    }
  }, [shown]);
  const typed = (next: string) => {
    setText(next);
    if (!next.trim()) {
      setWrong("");
      return props.onValue(null);
    }
    try {
      const value = exactJson(next);
      const kind = Array.isArray(value) ? "list" : value !== null && typeof value === "object" ? "object" : "any";
      if (props.want !== "any" && kind !== props.want) return setWrong(`This is no ${props.want} of JSON; it is not kept yet.`);
      setWrong("");
      props.onValue(value);
    } catch (error) {
      setWrong(`This is no JSON yet and is not kept: ${(error as Error).message.slice(0, 120)}`);
    }
  };
  return (
    <div class="col">
      <textarea class="text mono" aria-label={props.label} aria-invalid={!!wrong} rows={props.rows ?? Math.min(12, Math.max(2, text.split("\n").length))} spellcheck={false} readOnly={props.readOnly} placeholder={props.placeholder} value={text} onInput={(event) => typed(event.currentTarget.value)} />
      {wrong && <span class="err small-text">{wrong}</span>}
    </div>
  );
}

function same(text: string, value: unknown): boolean {
  if (!text.trim()) return value === null || value === undefined;
  try {
    return JSON.stringify(exactJson(text)) === JSON.stringify(value);
  } catch {
    return false;
  }
}
