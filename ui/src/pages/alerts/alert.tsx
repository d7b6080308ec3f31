/** One alert: its state, its value now, its rule and its history. */
import { useState } from "preact/hooks";
import { isConflict } from "../../api/documents";
import { json } from "../../api/http";
import { query } from "../../api/query";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl } from "../../app/location";
import { mayAdminister } from "../../app/session";
import { ago, number, plural, utc, when } from "../../format";
import { Colored } from "../../parts/filter_bar";
import { useLoad } from "../../parts/load";
import { toast } from "../../parts/overlay";
import { ResultTable } from "../../parts/result_table";
import { FailureNote, Waiting } from "../../parts/states";
import { AlertDialog } from "./alert_dialog";
import { alertUrl, StateChip, valueOf, type AlertEvent, type AlertInfo } from "./model";

export function AlertPage({ project, alert, reload }: { project: string; alert: AlertInfo; reload: () => void }) {
  const [editing, setEditing] = useState(false);
  const events = useLoad(`events ${alert.document_id} ${alert.checked_ns} ${alert.version}`, (signal) => json<AlertEvent[]>(alertUrl(alert, "/events"), { signal }));
  const now = useLoad(`value ${alert.document_id} ${alert.version}`, (signal) => query(alert.rule.sql, { project, signal, maxRows: 100, timeoutS: 10 }));
  const write = mayAdminister.value;
  const tell = (error: unknown) => toast(isConflict(error) ? "Somebody changed this alert; it is shown as it is now" : error instanceof Error ? error.message : String(error));
  const put = async (name: string, rule: AlertInfo["rule"]) => {
    await json(alertUrl(alert), { method: "PUT", body: { version: alert.version, name, rule: sendable(rule) } });
    reload();
  };
  const test = () =>
    json<AlertEvent>(alertUrl(alert, "/test"), { method: "POST" }).then((event) => {
      toast(event.delivery === "none" ? "Noted; this alert has no webhook" : "A test is on its way");
      setTimeout(events.reload, 1500);
      events.reload();
    }, tell);
  const remove = () => json(`${alertUrl(alert)}&version=${alert.version}`, { method: "DELETE" }).then(() => (reload(), navigate(pageUrl(project, "alerts"))), (error) => (tell(error), reload()));
  const toggle = () => put(alert.name, { ...alert.rule, enabled: !alert.rule.enabled }).catch((error) => (tell(error), reload()));
  useKeys([
    { keys: "Escape", label: "Back to Alerts", run: () => navigate(pageUrl(project, "alerts")) },
    ...(write ? [{ keys: "e", label: "Edit", run: () => setEditing(true) }, { keys: "t", label: "Send a test", run: () => void test() }] : []),
  ]);
  const { rule } = alert;
  return (
    <>
      <header class="head">
        <h1 class="cut">{alert.name}</h1>
        <StateChip alert={alert} />
        {alert.since_ns !== null && alert.state !== null && (
          <span class="fact" title={utc(alert.since_ns / 1e6)}>
            since <b>{when(alert.since_ns / 1e6)}</b>
          </span>
        )}
        <span class="gap" />
        {write && (
          <>
            <button class="btn" onClick={() => void test()}>
              Send a test <kbd>t</kbd>
            </button>
            <button class="btn" onClick={() => void toggle()}>
              {rule.enabled ? "Turn off" : "Turn on"}
            </button>
            <button class="btn" onClick={() => setEditing(true)}>
              Edit <kbd>e</kbd>
            </button>
            <button class="btn danger" onClick={() => void remove()}>
              Delete
            </button>
          </>
        )}
      </header>
      <div class="body pad settings wide">
        {alert.failure && (
          <p class="note err flat" role="alert">
            It could not be looked at: {alert.failure}
          </p>
        )}
        <dl class="numbers">
          <div>
            <dd title={alert.value ?? ""}>{valueOf(alert.value)}</dd>
            <dt>value, {alert.checked_ns ? ago(alert.checked_ns / 1e6) : "not looked at yet"}</dt>
          </div>
          <div>
            <dd>
              {rule.op} {number(rule.threshold)}
            </dd>
            <dt>fires{rule.for_s ? ` after ${plural(rule.for_s / 60, "minute")}` : " at once"}</dt>
          </div>
          <div>
            <dd>{number(rule.every_s)} s</dd>
            <dt>between two looks</dt>
          </div>
          <div>
            <dd class="cut" title={rule.webhook?.url}>
              {rule.webhook ? (rule.webhook.format === "slack" ? "Slack" : "webhook") : "this page"}
            </dd>
            <dt class="cut" title={rule.webhook?.url}>
              {rule.webhook ? `${rule.webhook.url.replace(/^https?:\/\//, "")}${rule.webhook.signed ? ", signed" : ""}` : "is where it tells"}
            </dt>
          </div>
        </dl>
        <section>
          <h2>Statement</h2>
          <pre class="code">
            <Colored sql={rule.sql} />
          </pre>
          <p>
            <a class="link" href={pageUrl(project, "ask", { sql: rule.sql })}>
              Open as SQL
            </a>
          </p>
          <FailureNote error={now.error} />
          {now.data && now.data.rows.length > 0 && now.data.columns.length > 1 && (
            <div class="alert-now">
              <ResultTable answer={now.data} project={project} />
            </div>
          )}
        </section>
        <section>
          <h2>History</h2>
          {events.error ? (
            <FailureNote error={events.error} />
          ) : !events.data ? (
            <Waiting />
          ) : !events.data.length ? (
            <p class="muted">It never fired.</p>
          ) : (
            <table class="grid inline">
              <thead>
                <tr>
                  <th>when</th>
                  <th>what</th>
                  <th class="num">value</th>
                  <th>sent</th>
                </tr>
              </thead>
              <tbody>
                {events.data.map((each) => (
                  <tr key={each.event_id}>
                    <td class="muted" title={utc(each.created_ns / 1e6)}>
                      {when(each.created_ns / 1e6)}
                    </td>
                    <td class={each.state === "firing" ? "err" : each.state === "resolved" ? "good" : ""}>{each.state}</td>
                    <td class="num">{valueOf(each.value)}</td>
                    <td class={each.delivery === "failed" ? "err" : "muted"}>{sentText(each)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </section>
      </div>
      <footer class="foot">
        <span title={utc(alert.updated_ns / 1e6)}>
          version {alert.version}
          {alert.author && ` by ${alert.author}`}, {when(alert.updated_ns / 1e6)}
        </span>
      </footer>
      {editing && <AlertDialog project={project} alert={alert} onClose={() => setEditing(false)} onSave={put} />}
    </>
  );
}

function sentText(event: AlertEvent): string {
  if (event.delivery === "none") return "shown here";
  if (event.delivery === "done") return event.answer ?? "sent";
  const tried = event.attempts ? `${plural(event.attempts, "time")}, ${event.answer ?? ""}` : "";
  return event.delivery === "failed" ? `given up after ${tried}` : event.attempts ? `tried ${tried}; again at ${when(event.next_ns / 1e6)}` : "on its way";
}

/** Returns a rule as it is sent: what only says how it is shown is left out, and a secret that was not typed stays. */
function sendable(rule: AlertInfo["rule"]): unknown {
  const hook = rule.webhook;
  return { ...rule, webhook: hook && { url: hook.url, format: hook.format, secret: hook.secret || null } };
}
