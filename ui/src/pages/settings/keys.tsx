/** API keys: who may send, read or administer. A key's text is shown once, when it is made. */
import { useState } from "preact/hooks";
import { json } from "../../api/http";
import { projects, session } from "../../app/session";
import { useKeys } from "../../app/keys";
import { plural, utc, when } from "../../format";
import { useLoad } from "../../parts/load";
import { copy, Dialog, toast } from "../../parts/overlay";
import { Failure, FailureNote, State, Waiting } from "../../parts/states";

interface KeyInfo {
  key_id: string;
  name: string;
  scopes: string[];
  projects: string[] | null;
  created_ns: number;
  revoked_ns: number | null;
}

const SCOPES: [string, string][] = [
  ["ingest", "send spans and logs, write scores, datasets and boards"],
  ["read", "look at everything of its projects"],
  ["admin", "all of it, and keys, retention, deletes and alerts"],
];

export function Keys({ project }: { project: string }) {
  const found = useLoad("keys", (signal) => json<KeyInfo[]>("/api/keys", { signal }));
  const [dialog, setDialog] = useState<"new" | KeyInfo | null>(null);
  useKeys([{ keys: "a", label: "Make a key", run: () => setDialog("new") }]);
  if (found.error) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Waiting />;
  const live = found.data.filter((each) => each.revoked_ns === null);
  const ended = found.data.filter((each) => each.revoked_ns !== null);
  return (
    <>
      <div class="bar">
        {!session.value?.keys_required && <span class="note warn">Nobody is asked for a key at this address. Start the server with require_keys to ask for one.</span>}
        <span class="gap" />
        <button class="btn go" onClick={() => setDialog("new")}>
          Make a key <kbd>a</kbd>
        </button>
      </div>
      {!found.data.length ? (
        <State title="There are no keys">
          <p>A key says who sends or asks, and for which projects. It is needed wherever others can reach this server.</p>
        </State>
      ) : (
        <div class="body">
          <table class="grid">
            <thead>
              <tr>
                <th>name</th>
                <th>id</th>
                <th>may</th>
                <th>in</th>
                <th>made</th>
                <th class="num" />
              </tr>
            </thead>
            <tbody>
              {[...live, ...ended].map((each) => (
                <tr key={each.key_id} class={each.revoked_ns === null ? "" : "muted"}>
                  <td>{each.name}</td>
                  <td class="mono">{each.key_id}</td>
                  <td>
                    {each.scopes.map((scope) => (
                      <span class="chip spaced" key={scope}>
                        {scope}
                      </span>
                    ))}
                  </td>
                  <td>{each.projects === null ? "all projects" : each.projects.join(", ")}</td>
                  <td class="muted" title={utc(each.created_ns / 1e6)}>
                    {when(each.created_ns / 1e6)}
                  </td>
                  <td class="num">
                    {each.revoked_ns === null ? (
                      <button class="btn small danger" onClick={() => setDialog(each)} aria-label={`Revoke ${each.name}`}>
                        Revoke
                      </button>
                    ) : (
                      <span title={utc(each.revoked_ns / 1e6)}>revoked {when(each.revoked_ns / 1e6)}</span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <footer class="foot">
        <span>{plural(live.length, "live key")}</span>
        {ended.length > 0 && <span>{ended.length} revoked</span>}
      </footer>
      {dialog === "new" && <NewKey project={project} onClose={() => (setDialog(null), found.reload())} />}
      {dialog && dialog !== "new" && <Revoke info={dialog} onClose={() => (setDialog(null), found.reload())} />}
    </>
  );
}

function NewKey({ project, onClose }: { project: string; onClose: () => void }) {
  const [error, setError] = useState<unknown>(null);
  const [made, setMade] = useState<{ name: string; text: string } | null>(null);
  const submit = async (form: HTMLFormElement) => {
    const given = new FormData(form);
    const chosen = given.getAll("projects").map(String);
    try {
      setMade(await json<{ name: string; text: string }>("/api/keys", { body: { name: String(given.get("name")).trim(), scopes: given.getAll("scopes").map(String), projects: given.get("all") ? null : chosen } }));
    } catch (failure) {
      setError(failure);
    }
  };
  if (made)
    return (
      <Dialog title={`The key ${made.name}`} onClose={onClose}>
        <p class="flat">Copy it now: it is kept nowhere and never shown again.</p>
        <pre class="code">{made.text}</pre>
        <div>
          <button class="btn go" autofocus onClick={() => void copy(made.text, "Key copied")}>
            Copy
          </button>
        </div>
      </Dialog>
    );
  return (
    <Dialog title="Make a key" onClose={onClose}>
      <form
        class="col form"
        onSubmit={(event) => {
          event.preventDefault();
          void submit(event.currentTarget);
        }}
      >
        <label class="field">
          Name: who or what uses it
          <input class="text" name="name" required maxLength={200} autocomplete="off" autofocus />
        </label>
        <fieldset class="choices">
          <legend>It may</legend>
          {SCOPES.map(([scope, about]) => (
            <label class="row-flex" key={scope}>
              <input type="checkbox" name="scopes" value={scope} defaultChecked={scope === "read"} />
              <b>{scope}</b> <span class="muted">{about}</span>
            </label>
          ))}
        </fieldset>
        <Where project={project} />
        <FailureNote error={error} />
        <div>
          <button class="btn go">Make it</button>
        </div>
      </form>
    </Dialog>
  );
}

function Where({ project }: { project: string }) {
  const bound = session.value?.projects ?? null;
  const [all, setAll] = useState(false);
  return (
    <fieldset class="choices">
      <legend>In</legend>
      {!bound && (
        <label class="row-flex">
          <input type="checkbox" name="all" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} /> all projects, and those to come
        </label>
      )}
      {!all &&
        (projects.value ?? []).map((each) => (
          <label class="row-flex" key={each.name}>
            <input type="checkbox" name="projects" value={each.name} defaultChecked={each.name === project} /> {each.name}
          </label>
        ))}
    </fieldset>
  );
}

function Revoke({ info, onClose }: { info: KeyInfo; onClose: () => void }) {
  const [error, setError] = useState<unknown>(null);
  const revoke = async () => {
    try {
      await json(`/api/keys/${info.key_id}`, { method: "DELETE" });
      toast(`${info.name} is revoked`);
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Dialog title={`Revoke ${info.name}`} onClose={onClose}>
      <p class="flat">Whoever uses this key is refused within two seconds, and browsers signed in with it are signed out. This cannot be undone.</p>
      <FailureNote error={error} />
      <div class="row-flex">
        <button class="btn danger" autofocus onClick={() => void revoke()}>
          Revoke
        </button>
        <button class="btn" onClick={onClose}>
          Keep it
        </button>
      </div>
    </Dialog>
  );
}
