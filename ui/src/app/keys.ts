/** Keys: pages register what they do; the table that `?` shows is made of what is registered now. */
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

export interface KeyAction {
  keys: string; // "j", "Ctrl+k", or two in a row: "g t"
  label: string;
  group?: string;
  run: (event: KeyboardEvent) => void;
  hidden?: boolean;
}

interface Table {
  current: KeyAction[];
}

export const keyTables = signal<Table[]>([]);

/** Registers keys while a component is there; those of later components win. What they do is always that of the last render. */
export function useKeys(actions: KeyAction[]): void {
  const table = useRef(actions);
  table.current = actions;
  useLayoutEffect(() => {
    keyTables.value = [...keyTables.peek(), table];
    return () => {
      keyTables.value = keyTables.peek().filter((each) => each !== table);
    };
  }, []);
}

const TWO_KEYS_MS = 900; // a second key later than this begins anew

function nameOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key : event.key;
  return (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.altKey ? "Alt+" : "") + key;
}

/** Returns whether what is typed at `target` is text. */
export const takesText = (target: EventTarget | null): boolean =>
  target instanceof Element &&
  (target.matches("input:not([type=checkbox]):not([type=radio]), textarea, select") || !!target.closest("[contenteditable],.cm-host"));

let pending = "";
let pendingUntil = 0;

export function startKeys(): void {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const name = nameOf(event);
    const inText = takesText(event.target);
    if (inText && !name.startsWith("Ctrl+") && name !== "Escape") return;
    const two = event.timeStamp < pendingUntil ? `${pending} ${name}` : "";
    const every = [...keyTables.peek()].reverse().flatMap((table) => table.current);
    // Two keys in a row mean what they mean together, whatever the second means alone.
    const found = every.find((each) => each.keys === two) ?? every.find((each) => each.keys === name);
    if (found) {
      if (inText && name === "Escape") {
        (event.target as HTMLElement).blur();
        return;
      }
      // Enter and Space belong to the control that has the focus.
      if ((name === "Enter" || name === " ") && (event.target as Element | null)?.closest?.("a,button,summary")) return;
      event.preventDefault();
      pending = "";
      pendingUntil = 0;
      found.run(event);
      return;
    }
    pending = name;
    pendingUntil = event.timeStamp + TWO_KEYS_MS;
  });
}
