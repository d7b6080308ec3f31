/** Light, dark, or what the system wishes; kept in this browser. */
import { signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
const KEY = "tracestore.theme";

export const theme = signal<Theme>("system");
export const dark = signal(false);

const system = window.matchMedia("(prefers-color-scheme: dark)");

function apply(): void {
  if (theme.value === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
  dark.value = theme.value === "dark" || (theme.value === "system" && system.matches);
}

export function setTheme(next: Theme): void {
  theme.value = next;
  localStorage.setItem(KEY, next);
  apply();
}

export function startTheme(): void {
  const kept = localStorage.getItem(KEY);
  if (kept === "light" || kept === "dark") theme.value = kept;
  system.addEventListener("change", apply);
  apply();
}

/** Returns a token's colour as it is now, for what is drawn on a canvas. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
