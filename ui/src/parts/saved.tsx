/** What is saved on the server: its menu, its dialogs, and what is said where somebody else saved first. */
import { useState } from "preact/hooks";
import { createDocument, deleteDocument, documentVersions, getDocument, isConflict, listDocuments, saveDocument, type DocumentKind, type SavedDocument } from "../api/documents";
import { navigate, params, setParams } from "../app/location";
import { mayWrite } from "../app/session";
import { utc, when } from "../format";
import { useLoad } from "./load";
import { Dialog, Menu, toast, type MenuItem } from "./overlay";
import { FailureNote, Waiting } from "./states";

export interface SearchBody {
  search: string; // of the page's address
}

const UNSAVED = ["row", "live", "saved", "span"]; // of an address: what is looked at, and no part of what is saved

/** Returns the part of this address that a saved view or query keeps. */
export function searchToSave(): string {
  const kept = new URLSearchParams(params.value);
  for (const name of UNSAVED) kept.delete(name);
  return kept.toString();
}

const withSaved = (search: string, id: string): string => `${window.location.pathname}?${search}${search && "&"}saved=${id}`;

/** The saved views of TRACES and the saved queries of ASK: addresses with a name. */
export function SavedMenu({ project, kind, plural }: { project: string; kind: "view" | "query"; plural: string }) {
  const all = useLoad(`${kind} ${project}`, (signal) => listDocuments<SearchBody>(kind, project, signal));
  const [dialog, setDialog] = useState<"new" | "rename" | "versions" | null>(null);
  const [conflict, setConflict] = useState<{ search: string } | null>(null);
  const id = params.value.get("saved");
  const current = all.data?.find((each) => each.document_id === id) ?? null;
  const search = searchToSave();
  const changed = !!current && current.body.search !== search;
  const save = async (over: SavedDocument<SearchBody>, text = search) => {
    try {
      const saved = await saveDocument(over, { search: text });
      toast(`${saved.name} saved, version ${saved.version}`);
      setConflict(null);
      all.reload();
    } catch (error) {
      if (isConflict(error)) setConflict({ search: text });
      else toast(error instanceof Error ? error.message : String(error));
    }
  };
  const remove = async () => {
    if (!current) return;
    try {
      await deleteDocument(current);
      setParams({ saved: null }, { replace: true });
      all.reload();
      toast(`${current.name} deleted`, { label: "Undo", run: () => void createDocument(kind, project, current.name, current.body).then(all.reload) });
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error));
      all.reload();
    }
  };
  const items = (): (MenuItem | null)[] => {
    const list: (MenuItem | null)[] = (all.data ?? []).map((each) => ({ label: each.name, on: each.document_id === id, href: withSaved(each.body.search, each.document_id), hint: each.author ?? "" }));
    if (!list.length) list.push({ label: <span class="muted">{all.error ? "They could not be read" : `No ${plural} are saved yet`}</span> });
    if (!mayWrite.value) return list;
    list.push(null);
    if (current && changed) list.push({ label: `Save the changes of ${current.name}`, run: () => void save(current) });
    list.push({ label: `Save this ${kind} as…`, run: () => setDialog("new") });
    if (current) list.push({ label: "Rename…", run: () => setDialog("rename") }, { label: "Versions…", run: () => setDialog("versions") }, { label: "Delete", run: () => void remove() });
    return list;
  };
  const noun = plural[0]!.toUpperCase() + plural.slice(1);
  return (
    <>
      <Menu
        name={current ? `${noun}: ${current.name}` : noun}
        label={
          <>
            <span class="cut saved-name">{current ? current.name : noun}</span>
            {changed && <span class="muted">changed</span>} <span aria-hidden="true">▾</span>
          </>
        }
        items={items}
      />
      {dialog === "new" && (
        <NameDialog
          title={`Save this ${kind}`}
          label={`Name of the ${kind}; everybody of ${project} sees it`}
          onClose={() => setDialog(null)}
          onName={async (name) => {
            const saved = await createDocument(kind, project, name, { search });
            setDialog(null);
            navigate(withSaved(search, saved.document_id), { replace: true });
            all.reload();
          }}
        />
      )}
      {dialog === "rename" && current && (
        <NameDialog
          title={`Rename ${current.name}`}
          label="New name"
          value={current.name}
          onClose={() => setDialog(null)}
          onName={async (name) => {
            await saveDocument(current, current.body, name);
            setDialog(null);
            all.reload();
          }}
        />
      )}
      {dialog === "versions" && current && (
        <VersionsDialog
          saved={current}
          onClose={() => setDialog(null)}
          onTake={(body) => {
            setDialog(null);
            navigate(withSaved((body as SearchBody).search, current.document_id));
          }}
        />
      )}
      {conflict && current && (
        <ConflictDialog
          saved={current}
          onClose={() => setConflict(null)}
          onTheirs={(newest) => {
            setConflict(null);
            navigate(withSaved((newest.body as SearchBody).search, newest.document_id));
            all.reload();
          }}
          onMine={(newest) => void save(newest as SavedDocument<SearchBody>, conflict.search)}
        />
      )}
    </>
  );
}

/** Asks for a name and says what is wrong with it. */
export function NameDialog(props: { title: string; label: string; value?: string; onClose: () => void; onName: (name: string) => Promise<unknown> }) {
  const [error, setError] = useState<unknown>(null);
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <form
        class="col form"
        onSubmit={(event) => {
          event.preventDefault();
          props.onName(String(new FormData(event.currentTarget).get("name")).trim()).catch(setError);
        }}
      >
        <label class="field">
          {props.label}
          <input class="text" name="name" required maxLength={200} autocomplete="off" defaultValue={props.value ?? ""} autofocus />
        </label>
        <FailureNote error={error} />
        <div>
          <button class="btn go">Save</button>
        </div>
      </form>
    </Dialog>
  );
}

/** Two people changed one version: the second chooses, and nothing is lost either way. */
export function ConflictDialog(props: { saved: SavedDocument<unknown>; onClose: () => void; onTheirs: (newest: SavedDocument<unknown>) => void; onMine: (newest: SavedDocument<unknown>) => void }) {
  const { saved } = props;
  const newest = useLoad(`newest ${saved.document_id}`, (signal) => getDocument<unknown>(saved.kind as DocumentKind, saved.project, saved.document_id, signal));
  const found = newest.data;
  return (
    <Dialog title={`Somebody changed ${saved.name} too`} onClose={props.onClose}>
      {newest.error ? (
        <FailureNote error={newest.error} />
      ) : !found ? (
        <Waiting />
      ) : (
        <>
          <p class="flat">
            You began with version {saved.version}. Meanwhile {found.author ?? "somebody"} saved version {found.version}, <span title={utc(found.updated_ns / 1e6)}>{when(found.updated_ns / 1e6)}</span>. Both stay among the versions, whichever you choose.
          </p>
          <div class="row-flex">
            <button class="btn go" onClick={() => props.onTheirs(found)}>
              Look at theirs
            </button>
            <button class="btn" onClick={() => props.onMine(found)}>
              Save mine as version {found.version + 1}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}

/** The versions of a document; any can be taken again, which makes a new version when it is saved. */
export function VersionsDialog(props: { saved: SavedDocument<unknown>; onClose: () => void; onTake: (body: unknown) => void }) {
  const { saved } = props;
  const versions = useLoad(`versions ${saved.document_id} ${saved.version}`, (signal) => documentVersions(saved, signal));
  const [error, setError] = useState<unknown>(null);
  const take = (version: number) => getDocument(saved.kind as DocumentKind, saved.project, saved.document_id, undefined, version).then((found) => props.onTake(found.body), setError);
  return (
    <Dialog title={`Versions of ${saved.name}`} onClose={props.onClose}>
      <FailureNote error={error ?? versions.error} />
      {!versions.data ? (
        <Waiting />
      ) : (
        <table class="grid">
          <thead>
            <tr>
              <th class="num">version</th>
              <th>name</th>
              <th>saved</th>
              <th>by</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {versions.data.map((each) => (
              <tr key={each.version}>
                <td class="num">{each.version}</td>
                <td>{each.name}</td>
                <td class="muted" title={utc(each.created_ns / 1e6)}>
                  {when(each.created_ns / 1e6)}
                </td>
                <td class="muted">{each.author ?? "–"}</td>
                <td class="num">
                  <button class="btn small" onClick={() => void take(each.version)}>
                    Look at it
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Dialog>
  );
}
