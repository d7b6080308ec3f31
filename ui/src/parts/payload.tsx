/** Any value: short objects as lines of key and value, others as a JSON tree; large ones as virtual text. */
import { useMemo, useRef, useState } from "preact/hooks";
import { Exact } from "../api/exact";
import { bytes, count } from "../format";
import { copy } from "./overlay";
import { useVirtual } from "./virtual";
import "./conversation.css";

const LINES = 14; // of a value that is shown as it is
const FOLDED_CHARACTERS = 1200; // of one text inside a value before it folds
const VIRTUAL_CHARACTERS = 60_000; // a text beyond is drawn line by line, as it is scrolled
const LINE_CHARACTERS = 240; // of a line of virtual text
const LINE_PIXELS = 18;

export function Payload({ value, empty = "–" }: { value: unknown; empty?: string }) {
  if (value === null || value === undefined || value === "") return <span class="muted">{empty}</span>;
  if (typeof value === "string") return <Plain text={value} />;
  if (typeof value !== "object" || value instanceof Exact) return <span>{String(value)}</span>;
  return <Tree value={value} />;
}

function Plain({ text }: { text: string }) {
  const [open, setOpen] = useState(false);
  if (text.length > VIRTUAL_CHARACTERS && open) return <VirtualText text={text} />;
  const long = text.length > FOLDED_CHARACTERS * 1.2;
  return (
    <span dir="auto">
      {long && !open ? `${text.slice(0, FOLDED_CHARACTERS)}…` : text}
      {long && (
        <>
          {" "}
          <button class="link" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "Fold" : `${count(text.length)} characters`}
          </button>
        </>
      )}
    </span>
  );
}

interface Line {
  depth: number;
  key: string;
  text: string;
  kind: string;
  path: string;
  open: boolean | null; // null where there is nothing inside
}

const CLOSED_FROM = 40; // items beyond which an inner object begins closed

/** Returns the lines of a value: a key, and a short form of what it holds. */
function linesOf(value: unknown, toggled: ReadonlySet<string>, most = 20_000): Line[] {
  const found: Line[] = [];
  const walk = (inner: unknown, key: string, path: string, depth: number) => {
    if (found.length >= most) return;
    if (typeof inner === "object" && inner !== null && !(inner instanceof Exact)) {
      const entries = Array.isArray(inner) ? inner.map((each, i) => [String(i), each] as const) : Object.entries(inner);
      const byDefault = depth < 3 && entries.length <= CLOSED_FROM;
      const open = entries.length > 0 && toggled.has(path) !== byDefault;
      if (depth >= 0) found.push({ depth, key, path, kind: "object", open: entries.length ? open : null, text: Array.isArray(inner) ? `[${entries.length}]` : entries.length ? `{${entries.length}}` : "{}" });
      if (open || depth < 0) for (const [name, each] of entries) walk(each, name, `${path}\u0000${name}`, depth + 1);
      return;
    }
    found.push({ depth: Math.max(0, depth), key, path, kind: inner === null ? "null" : inner instanceof Exact ? "number" : typeof inner, open: null, text: typeof inner === "string" ? inner : String(inner) });
  };
  walk(value, "", "", -1);
  return found;
}

function Tree({ value }: { value: unknown }) {
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [all, setAll] = useState(false);
  const lines = useMemo(() => linesOf(value, toggled), [value, toggled]);
  const shown = all ? lines : lines.slice(0, LINES);
  const toggle = (path: string) => {
    const next = new Set(toggled);
    if (!next.delete(path)) next.add(path);
    setToggled(next);
  };
  if (!lines.length) return <span class="muted">{Array.isArray(value) ? "[]" : "{}"}</span>;
  return (
    <div class="json-tree">
      {shown.map((line) => (
        <div key={line.path} class="json-line" style={{ paddingLeft: `${line.depth * 14}px` }}>
          {line.open !== null ? (
            <button class="json-key" aria-expanded={line.open} onClick={() => toggle(line.path)}>
              <span aria-hidden="true">{line.open ? "▾" : "▸"}</span> {line.key} <span class="muted">{line.text}</span>
            </button>
          ) : (
            <>
              <span class="json-key">{line.key}: </span>
              {line.kind === "string" ? <Plain text={line.text} /> : <span class={`json-${line.kind}`}>{line.text}</span>}
            </>
          )}
        </div>
      ))}
      {lines.length > LINES && (
        <button class="link" onClick={() => setAll(!all)}>
          {all ? "Fold" : `${count(lines.length)} lines`}
        </button>
      )}
    </div>
  );
}

/** Returns text in lines of a length that a screen can draw. */
export function wrapped(text: string): string[] {
  const found: string[] = [];
  for (const line of text.split("\n")) {
    if (line.length <= LINE_CHARACTERS) found.push(line);
    else for (let at = 0; at < line.length; at += LINE_CHARACTERS) found.push(line.slice(at, at + LINE_CHARACTERS));
  }
  return found;
}

/** Text of any length: only the lines that are seen are there. */
export function VirtualText({ text, tall }: { text: string; tall?: boolean }) {
  const scroller = useRef<HTMLDivElement>(null);
  const lines = useMemo(() => wrapped(text), [text]);
  const virtual = useVirtual({ count: lines.length, size: LINE_PIXELS, scroller: () => scroller.current });
  return (
    <div class="virtual-box">
      <div class="row-flex muted">
        <span>
          {bytes(new Blob([text]).size)}, {count(lines.length)} lines
        </span>
        <button class="link" onClick={() => void copy(text)}>
          Copy
        </button>
      </div>
      <div class={`virtual-text ${tall ? "tall" : ""}`} ref={scroller} tabIndex={0} role="group" aria-label="Text">
        <div style={{ height: `${virtual.total}px`, position: "relative" }}>
          {virtual.items.map((item) => (
            <div key={item.index} class="virtual-line" style={{ transform: `translateY(${item.start}px)` }}>
              {lines[item.index]}
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}
