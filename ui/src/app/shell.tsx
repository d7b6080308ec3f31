/** The frame of every page: navigation, project, palette, keys, sign-in, and what is said when the server is gone. */
import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { json, keyWanted, serverGone } from "../api/http";
import { Dialog, Menu, Toasts } from "../parts/overlay";
import { FailureNote } from "../parts/states";
import { keyTables, useKeys, type KeyAction } from "./keys";
import { navigate, pageUrl, route } from "./location";
import { PAGES } from "./pages";
import { Palette, paletteOpen } from "./palette";
import { loadSession, projects, session } from "./session";
import { setTheme, theme } from "./theme";

const keysOpen = signal(false);

export function Shell({ children }: { children: ComponentChildren }) {
  const { project, page } = route.value;
  const go: KeyAction[] = PAGES.map((each) => ({ keys: `g ${each.key}`, label: each.label, group: "Go to", run: () => navigate(pageUrl(project, each.page)) }));
  useKeys([
    ...go,
    { keys: "Ctrl+k", label: "Palette: go to, run, switch project", group: "Everywhere", run: () => (paletteOpen.value = true) },
    { keys: "?", label: "All keys", group: "Everywhere", run: () => (keysOpen.value = true) },
  ]);
  return (
    <div class="frame">
      <nav class="nav" aria-label="Pages">
        <a class="brand" href="/">
          <span class="row-flex">
            <i />
            tracestore
          </span>
        </a>
        <Menu
          class="project"
          name={`Project ${project}; switch`}
          title="Project"
          label={
            <>
              <span class="cut">{project || "no project"}</span>
              <span class="muted" aria-hidden="true">
                ▾
              </span>
            </>
          }
          items={() => (projects.value ?? []).map((each) => ({ label: each.name, on: each.name === project, href: pageUrl(each.name, page === "trace" ? "traces" : page || "traces"), hint: each.has_spans ? "" : "no spans" }))}
        />
        {PAGES.map((each) => (
          <a key={each.page} href={pageUrl(project, each.page)} aria-current={owner(page) === each.page ? "page" : undefined}>
            {each.label}
            {each.key && <kbd>g {each.key}</kbd>}
          </a>
        ))}
        <span class="gap" />
        <button class="item" onClick={() => (paletteOpen.value = true)}>
          Go to… <kbd>Ctrl K</kbd>
        </button>
        <button class="item" onClick={() => (keysOpen.value = true)}>
          Keys <kbd>?</kbd>
        </button>
        <Menu class="item" label={<>Theme <span class="muted">{theme.value}</span></>} name={`Theme: ${theme.value}`} items={(["system", "light", "dark"] as const).map((each) => ({ label: each[0]!.toUpperCase() + each.slice(1), on: theme.value === each, run: () => setTheme(each) }))} />
        {session.value?.keys_required && session.value.signed_in && (
          <button class="item" onClick={() => void signOut()}>
            Sign out <span class="muted cut">{session.value.name}</span>
          </button>
        )}
      </nav>
      <main class="main">
        {serverGone.value && (
          <div class="gone" role="alert">
            <b>The server does not answer.</b> <span>What is shown may be old. This page asks again by itself.</span>
          </div>
        )}
        {children}
      </main>
      {paletteOpen.value && <Palette />}
      {keysOpen.value && <KeysDialog />}
      <Toasts />
    </div>
  );
}

/** Returns the page of the navigation under which a page lies. */
const owner = (page: string): string => ({ trace: "traces", compare: "experiments", board: "boards", dataset: "datasets", session: "traces" })[page] ?? page;

function KeysDialog() {
  const groups = new Map<string, KeyAction[]>();
  for (const action of [...keyTables.value].reverse().flatMap((table) => table.current)) {
    if (action.hidden) continue;
    const group = action.group ?? "This page";
    groups.set(group, [...(groups.get(group) ?? []), action]);
  }
  return (
    <Dialog title="Keys" onClose={() => (keysOpen.value = false)}>
      <div class="keys">
        {[...groups].map(([group, actions]) => (
          <>
            <h3>{group}</h3>
            {actions.map((action) => (
              <div key={action.keys}>
                {action.label}
                <span>
                  {action.keys.split(" ").map((key) => (
                    <kbd key={key}>{shown(key)}</kbd>
                  ))}
                </span>
              </div>
            ))}
          </>
        ))}
      </div>
    </Dialog>
  );
}

const shown = (key: string): string => ({ ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", " ": "Space" })[key] ?? key.replace("Ctrl+k", "Ctrl K");

async function signOut(): Promise<void> {
  await json("/api/session", { method: "DELETE" });
  await loadSession();
}

/** Asks for a key; it becomes a session of this browser. */
export function SignIn() {
  const [error, setError] = useState<unknown>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const key = new FormData(event.currentTarget as HTMLFormElement).get("key");
    try {
      await json("/api/session", { body: { key } });
      keyWanted.value = false;
      await loadSession();
    } catch (failure) {
      setError(failure);
      await loadSession().catch(() => {});
    }
  };
  return (
    <main class="sign-in">
      <form class="dialog" onSubmit={(event) => void submit(event as unknown as SubmitEvent)}>
        <div class="content">
          <h1 class="row-flex">
            <i class="brand-mark" /> tracestore
          </h1>
          <p class="muted">This server asks for an API key. It is checked once and kept as a session of this browser; it ends when the key is revoked.</p>
          <label class="field">
            API key
            <input class="text mono" name="key" type="password" autocomplete="current-password" required autofocus placeholder="ts_…" />
          </label>
          <FailureNote error={error} />
          <div class="row-flex">
            <button class="btn go">Sign in</button>
            <span class="muted">
              Make a key: <code>tracestore keys create NAME --scope read</code>
            </span>
          </div>
        </div>
      </form>
    </main>
  );
}
