/** The versions of a play: any is looked at, and taken again as a change like any other. */
import { useState } from "preact/hooks";
import { exactJson } from "../../../api/exact";
import { json, request } from "../../../api/http";
import { plural, utc, when } from "../../../format";
import { useLoad } from "../../../parts/load";
import { Dialog, toast } from "../../../parts/overlay";
import { FailureNote, Waiting } from "../../../parts/states";
import type { LivePlay } from "../live";
import { columnsOf, of, type PlayDocument } from "../model";

interface VersionInfo {
  version: number;
  name: string;
  author: string | null;
  created_ns: number;
}

export function PlayVersions({ play, write, onClose }: { play: LivePlay; write: boolean; onClose: () => void }) {
  const list = useLoad(`play versions ${play.id}`, (signal) => json<VersionInfo[]>(play.at("/versions"), { signal }));
  const [error, setError] = useState<unknown>(null);
  const take = async (version: number) => {
    try {
      const { body } = exactJson(await (await request(`/api/play/${play.id}?${of(play.project)}&version=${version}`)).text()) as PlayDocument;
      const before = play.document.peek()!.body;
      const edits = (["rows", "columns", "order", "scorers"] as const).map((name) => ({ path: [name], value: body[name] ?? { rows: null, columns: {}, order: [], scorers: [] }[name] }));
      const back = edits.map(({ path }) => ({ path, value: before[path[0] as "rows"] ?? { rows: null, columns: {}, order: [], scorers: [] }[path[0] as "rows"] }));
      play.edit(...edits);
      toast(`Version ${version} again, with ${plural(columnsOf(body).length, "column")}`, { label: "Undo", run: () => play.edit(...back) });
      onClose();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <Dialog title="Versions of this play" onClose={onClose}>
      <FailureNote error={error ?? list.error} />
      {!list.data ? (
        !list.error && <Waiting />
      ) : (
        <table class="grid inline play-versions">
          <thead>
            <tr>
              <th class="num">version</th>
              <th>name</th>
              <th>changed</th>
              <th>by</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {list.data.map((each, i) => (
              <tr key={each.version}>
                <td class="num">{each.version}</td>
                <td>{each.name}</td>
                <td class="muted" title={utc(each.created_ns / 1e6)}>
                  {when(each.created_ns / 1e6)}
                </td>
                <td class="muted">{each.author ?? "–"}</td>
                <td class="num">
                  {write && i > 0 && (
                    <button class="btn small" onClick={() => void take(each.version)}>
                      Take it again<span class="sr">: version {each.version}</span>
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <p class="muted flat">Changes without a pause of a minute are one version, and a run begins one.</p>
    </Dialog>
  );
}
