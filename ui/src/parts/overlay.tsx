/** What lies above a page: menus, dialogs and short notices. One layer, closed by Escape or a click beside it. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useKeys } from "../app/keys";

// --- notices

interface Toast {
  id: number;
  text: string;
  action?: { label: string; run: () => void };
}
const TOAST_MS = 5000;
const toasts = signal<Toast[]>([]);
let nextId = 1;

export function toast(text: string, action?: Toast["action"]): void {
  const id = nextId++;
  toasts.value = [...toasts.peek().slice(-2), { id, text, action }];
  setTimeout(() => (toasts.value = toasts.peek().filter((each) => each.id !== id)), TOAST_MS);
}

export const Toasts = () => (
  <div class="toasts" role="status" aria-live="polite">
    {toasts.value.map((each) => (
      <div class="toast" key={each.id}>
        <span>{each.text}</span>
        {each.action && (
          <button class="link" onClick={each.action.run}>
            {each.action.label}
          </button>
        )}
      </div>
    ))}
  </div>
);

// --- dialogs

export function Dialog(props: { title: string; wide?: boolean; onClose: () => void; children: ComponentChildren; footer?: ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  // The focus is nowhere once the control that had it is gone.
  useKeys([{ keys: "Escape", label: "Close", hidden: true, run: props.onClose }]);
  // Before anything else is typed: what comes next belongs to the dialog.
  useLayoutEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    const first = box.current?.querySelector<HTMLElement>("[autofocus],input,textarea,select") ?? box.current;
    first?.focus();
    return () => before?.focus?.();
  }, []);
  return (
    <div class="veil" onMouseDown={(event) => event.target === event.currentTarget && props.onClose()}>
      <div class={`dialog ${props.wide ? "wide" : ""}`} role="dialog" aria-modal="true" aria-label={props.title} tabIndex={-1} ref={box} onKeyDown={(event) => keepInside(event, box.current, props.onClose)}>
        <header>
          <h2>{props.title}</h2>
          <button class="btn plain small" onClick={props.onClose}>
            <span class="sr">Close</span>
            <kbd>Esc</kbd>
          </button>
        </header>
        <div class="content">{props.children}</div>
        {props.footer && <footer>{props.footer}</footer>}
      </div>
    </div>
  );
}

/** Keeps the focus inside a dialog; Escape closes it, and keys of the page behind do nothing. */
export function keepInside(event: KeyboardEvent, box: HTMLElement | null, close: () => void): void {
  if (event.key === "Escape") {
    event.preventDefault();
    event.stopPropagation();
    close();
    return;
  }
  if (event.key === "Tab" && box) {
    const all = [...box.querySelectorAll<HTMLElement>("a[href],button:not(:disabled),input,textarea,select,[tabindex='0']")];
    const first = all[0];
    const last = all[all.length - 1];
    if (event.shiftKey && document.activeElement === first) {
      event.preventDefault();
      last?.focus();
    } else if (!event.shiftKey && document.activeElement === last) {
      event.preventDefault();
      first?.focus();
    }
  }
  event.stopPropagation();
}

// --- menus

export interface MenuItem {
  label: ComponentChildren;
  run?: () => void;
  href?: string;
  hint?: string;
  on?: boolean;
  name?: string;
}

/** A button that opens a list; arrow keys move in it. */
export function Menu(props: { label: ComponentChildren; name?: string; class?: string; items: (MenuItem | null)[] | (() => (MenuItem | null)[]); title?: string; align?: "left" | "right" }) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button class={props.class ?? "btn"} ref={button} aria-haspopup="menu" aria-expanded={open} aria-label={props.name} onClick={() => setOpen(!open)}>
        {props.label}
      </button>
      {open && <MenuList anchor={button.current} items={typeof props.items === "function" ? props.items() : props.items} title={props.title} align={props.align} onClose={() => setOpen(false)} />}
    </>
  );
}

function MenuList(props: { anchor: HTMLElement | null; items: (MenuItem | null)[]; title?: string; align?: "left" | "right"; onClose: () => void }) {
  const list = useRef<HTMLDivElement>(null);
  const close = () => {
    props.onClose();
    props.anchor?.focus();
  };
  useLayoutEffect(() => {
    const box = props.anchor?.getBoundingClientRect();
    const menu = list.current;
    if (!box || !menu) return;
    const left = props.align === "right" ? box.right - menu.offsetWidth : box.left;
    menu.style.left = `${Math.max(8, Math.min(left, window.innerWidth - menu.offsetWidth - 8))}px`;
    const below = box.bottom + 4;
    menu.style.top = `${below + menu.offsetHeight > window.innerHeight - 8 ? Math.max(8, box.top - menu.offsetHeight - 4) : below}px`;
    menu.querySelector<HTMLElement>(".on, a, button")?.focus();
  }, []);
  useEffect(() => {
    const outside = (event: Event) => {
      if (!list.current?.contains(event.target as Node) && !props.anchor?.contains(event.target as Node)) props.onClose();
    };
    document.addEventListener("mousedown", outside);
    return () => document.removeEventListener("mousedown", outside);
  }, []);
  const move = (event: KeyboardEvent) => {
    const all = [...(list.current?.querySelectorAll<HTMLElement>("a,button") ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    if (event.key === "Escape") close();
    else if (event.key === "ArrowDown" || event.key === "j") all[(at + 1) % all.length]?.focus();
    else if (event.key === "ArrowUp" || event.key === "k") all[(at - 1 + all.length) % all.length]?.focus();
    else if (event.key === "Tab") return props.onClose();
    else return event.stopPropagation();
    event.preventDefault();
    event.stopPropagation();
  };
  const chosen = (item: MenuItem) => {
    close();
    item.run?.();
  };
  return (
    <div class="menu" role="menu" ref={list} onKeyDown={move}>
      {props.title && <div class="title">{props.title}</div>}
      {props.items.map((item, i) =>
        item === null ? (
          <hr key={i} />
        ) : item.href ? (
          <a key={i} role="menuitem" class={item.on ? "on" : ""} href={item.href} onClick={props.onClose}>
            <span class="cut">{item.label}</span>
            {item.hint && <span class="muted">{item.hint}</span>}
          </a>
        ) : (
          <button key={i} role="menuitem" class={item.on ? "on" : ""} onClick={() => chosen(item)}>
            <span class="cut">{item.label}</span>
            {item.hint && <span class="muted">{item.hint}</span>}
          </button>
        ),
      )}
    </div>
  );
}

export async function copy(text: string, what = "Copied"): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast(what);
  } catch {
    toast("The browser did not allow copying");
  }
}
