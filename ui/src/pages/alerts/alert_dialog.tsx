/** Makes or changes an alert; its statement can be tried before it is saved. */
import { useState } from "preact/hooks";
import { query } from "../../api/query";
import { number } from "../../format";
import { Dialog } from "../../parts/overlay";
import { FailureNote } from "../../parts/states";
import { OPS, type AlertInfo, type Rule } from "./model";

const FIRST = "SELECT count(*)\nFROM spans\nWHERE status_code = 'ERROR' AND start_time >= now() - INTERVAL 10 MINUTE";

export function AlertDialog(props: { project: string; alert?: AlertInfo; onClose: () => void; onSave: (name: string, rule: Rule) => Promise<unknown> }) {
  const before = props.alert?.rule;
  const [sql, setSql] = useState(before?.sql ?? FIRST);
  const [tried, setTried] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const look = () =>
    query(sql, { project: props.project, maxRows: 1, timeoutS: 10 }).then(
      (answer) => {
        const value = answer.rows[0]?.[0];
        setError(null);
        setTried(typeof value === "number" ? `It is ${number(value)} now.` : value === undefined || value === null ? "It has no value now, so it would not fire." : "The first column of the first row is no number.");
      },
      (failure) => (setTried(null), setError(failure)),
    );
  const save = (form: HTMLFormElement) => {
    const given = new FormData(form);
    const text = (name: string) => String(given.get(name) ?? "").trim();
    const url = text("url");
    const rule: Rule = {
      sql,
      op: text("op"),
      threshold: Number(text("threshold")),
      every_s: Number(text("every")),
      for_s: Number(text("for")) * 60,
      enabled: before?.enabled ?? true,
      webhook: url ? { url, format: text("format") as "json" | "slack", secret: text("secret") || null } : null,
    };
    props.onSave(text("name"), props.alert ? rule : rule).then(props.onClose, setError);
  };
  return (
    <Dialog title={props.alert ? `Edit ${props.alert.name}` : "New alert"} wide onClose={props.onClose}>
      <form
        class="col form"
        onSubmit={(event) => {
          event.preventDefault();
          save(event.currentTarget);
        }}
      >
        <label class="field">
          Name
          <input class="text" name="name" required maxLength={200} autocomplete="off" defaultValue={props.alert?.name ?? ""} autofocus />
        </label>
        <label class="field">
          Statement: its first row's first column is the value
          <textarea class="text mono" rows={5} required value={sql} onInput={(event) => (setSql(event.currentTarget.value), setTried(null))} />
        </label>
        <div class="row-flex">
          <button type="button" class="btn small" onClick={() => void look()}>
            Try it
          </button>
          <span class="muted" role="status">
            {tried}
          </span>
        </div>
        <div class="row-flex wrapping">
          Fires when the value is
          <select class="text" name="op" aria-label="Comparison">
            {OPS.map((op) => (
              <option key={op} selected={op === (before?.op ?? ">")}>
                {op}
              </option>
            ))}
          </select>
          <input class="text short" name="threshold" type="number" step="any" required aria-label="Threshold" defaultValue={before?.threshold ?? 0} />
          for
          <input class="text short" name="for" type="number" min={0} max={10_080} step="any" required aria-label="Minutes for which it must hold" defaultValue={(before?.for_s ?? 0) / 60} />
          minutes, looked at every
          <input class="text short" name="every" type="number" min={10} max={86_400} required aria-label="Seconds between two looks" defaultValue={before?.every_s ?? 60} />
          seconds.
        </div>
        <fieldset class="choices">
          <legend>Where to tell, besides this page</legend>
          <div class="row-flex">
            <input class="text mono grow" name="url" type="url" pattern="https?://.*" aria-label="Address of a webhook" placeholder="https://… takes a POST; empty for this page alone" defaultValue={before?.webhook?.url ?? ""} />
            <select class="text" name="format" aria-label="Form of the request">
              <option value="json">JSON</option>
              <option value="slack" selected={before?.webhook?.format === "slack"}>
                Slack
              </option>
            </select>
          </div>
          <input class="text mono" name="secret" type="password" autocomplete="off" aria-label="Secret that signs each request" placeholder={before?.webhook?.signed ? "a secret signs each request; leave this empty to keep it" : "a secret that signs each request, if the receiver checks it"} />
        </fieldset>
        <FailureNote error={error} />
        <div>
          <button class="btn go">Save</button>
        </div>
      </form>
    </Dialog>
  );
}
