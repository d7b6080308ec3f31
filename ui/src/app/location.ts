/** The URL is the state: what a page shows is read from it, and what a person changes is written to it. */
import { computed, signal } from "@preact/signals";

const here = () => ({ path: window.location.pathname, search: window.location.search });

export const location = signal(here());
export const params = computed(() => new URLSearchParams(location.value.search));

/** The project and the page's own parts of `/p/PROJECT/PAGE/REST…`. */
export const route = computed(() => {
  const [first, project, page, ...rest] = location.value.path.split("/").slice(1).map(decodeURIComponent);
  return first === "p" ? { project: project ?? "", page: page ?? "", rest } : { project: "", page: "", rest: [] };
});

export function navigate(url: string, options: { replace?: boolean } = {}): void {
  if (url === window.location.pathname + window.location.search) return;
  if (options.replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  location.value = here();
}

export type Changes = Record<string, string | null | undefined>;

/** Returns this page's URL with other parameters; null takes one away. */
export function withParams(changes: Changes): string {
  const next = new URLSearchParams(window.location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) continue;
    if (value === null || value === "") next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  return window.location.pathname + (text ? `?${text}` : "");
}

export function setParams(changes: Changes, options: { replace?: boolean } = {}): void {
  navigate(withParams(changes), options);
}

/** Returns the URL of a page of a project; while no project is known, that of `/`, which goes on to this page of the first one. */
export function pageUrl(project: string, page: string, query: Changes = {}): string {
  if (!project) return `/?${new URLSearchParams({ page })}`;
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  const text = search.toString();
  const path = page.split("/").map(encodeURIComponent).join("/");
  return `/p/${encodeURIComponent(project)}/${path}${text ? `?${text}` : ""}`;
}

export function startLocation(): void {
  window.addEventListener("popstate", () => (location.value = here()));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const anchor = (event.target as Element | null)?.closest?.("a");
    if (!anchor || anchor.target || anchor.origin !== window.location.origin || anchor.hasAttribute("download")) return;
    if (!/^\/(p\/|$)/.test(anchor.pathname)) return;
    event.preventDefault();
    navigate(anchor.pathname + anchor.search);
  });
}
