/** ALERTS: what is watched, what fires, and what was told to whom. */
import { useEffect, useState } from "preact/hooks";
import { json } from "../../api/http";
import { useKeys } from "../../app/keys";
import { navigate, pageUrl, params, setParams } from "../../app/location";
import { mayAdminister } from "../../app/session";
import { ago, number, plural, utc } from "../../format";
import { useLoad } from "../../parts/load";
import { Failure, State, Waiting } from "../../parts/states";
import { AlertPage } from "./alert";
import { AlertDialog } from "./alert_dialog";
import { listAlerts, StateChip, valueOf, type AlertInfo } from "./model";
import "./alerts.css";

const LOOK_MS = 10_000; // an open page shows a change this late at most

export function AlertsPage({ project, rest }: { project: string; rest: string[] }) {
  const found = useLoad(`alerts ${project}`, (signal) => listAlerts(project, signal));
  useEffect(() => {
    const timer = setInterval(() => document.hidden || found.reload(), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  if (found.error && !found.data) return <Failure error={found.error} retry={found.reload} />;
  if (!found.data) return <Waiting />;
  if (!rest[0]) return <List project={project} all={found.data} reload={found.reload} />;
  const alert = found.data.find((each) => each.document_id === rest[0]);
  if (!alert)
    return (
      <State title="There is no such alert">
        <a class="btn" href={pageUrl(project, "alerts")}>
          All alerts
        </a>
      </State>
    );
  return <AlertPage project={project} alert={alert} reload={found.reload} key={alert.document_id} />;
}

function List({ project, all, reload }: { project: string; all: AlertInfo[]; reload: () => void }) {
  const [making, setMaking] = useState(false);
  const at = all.findIndex((each) => each.document_id === params.value.get("row"));
  const move = (by: number) => all.length && setParams({ row: all[Math.max(0, Math.min(all.length - 1, at + by))]!.document_id }, { replace: true });
  const open = (id: string) => navigate(pageUrl(project, `alerts/${id}`));
  const write = mayAdminister.value;
  useKeys([
    { keys: "j", label: "Next", run: () => move(1) },
    { keys: "k", label: "Before", run: () => move(at < 0 ? 1 : -1) },
    { keys: "Enter", label: "Open", run: () => all[at] && open(all[at]!.document_id) },
    { keys: "r", label: "Refresh", run: reload },
    ...(write ? [{ keys: "a", label: "New alert", run: () => setMaking(true) }] : []),
  ]);
  const firing = all.filter((each) => each.state === "firing").length;
  return (
    <>
      <header class="head">
        <h1>Alerts</h1>
        {firing > 0 && (
          <span class="fact err">
            <b>{firing}</b> firing
          </span>
        )}
        <span class="gap" />
        {write && (
          <button class="btn go" onClick={() => setMaking(true)}>
            New alert <kbd>a</kbd>
          </button>
        )}
      </header>
      {!all.length ? (
        <State title="No alerts yet">
          <p>An alert is a statement, a condition of its value, and where to tell of it. This server looks at it in the background.</p>
          {write ? (
            <button class="btn go" onClick={() => setMaking(true)}>
              Make the first one
            </button>
          ) : (
            <p class="muted">Making one needs a key with the scope admin: an alert sends requests elsewhere.</p>
          )}
        </State>
      ) : (
        <div class="body">
          <table class="grid">
            <thead>
              <tr>
                <th>state</th>
                <th>name</th>
                <th class="num">value</th>
                <th>fires when</th>
                <th>tells</th>
                <th>looked at</th>
              </tr>
            </thead>
            <tbody>
              {all.map((each, i) => (
                <tr key={each.document_id} class={i === at ? "on" : ""}>
                  <td>
                    <StateChip alert={each} />
                  </td>
                  <td>
                    <a class="strong" href={pageUrl(project, `alerts/${each.document_id}`)}>
                      {each.name}
                    </a>
                  </td>
                  <td class="num" title={each.value ?? ""}>
                    {valueOf(each.value)}
                  </td>
                  <td class="muted">
                    {each.rule.op} {number(each.rule.threshold)}
                    {each.rule.for_s > 0 && ` for ${plural(each.rule.for_s / 60, "minute")}`}
                  </td>
                  <td class="muted cut">{each.rule.webhook ? each.rule.webhook.url.replace(/^https?:\/\//, "") : "this page"}</td>
                  <td class="muted" title={each.checked_ns ? utc(each.checked_ns / 1e6) : ""}>
                    {each.checked_ns ? ago(each.checked_ns / 1e6) : "not yet"}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <footer class="foot">
        <span>{plural(all.length, "alert")}</span>
      </footer>
      {making && (
        <AlertDialog
          project={project}
          onClose={() => setMaking(false)}
          onSave={async (name, rule) => {
            const made = await json<AlertInfo>(`/api/alerts?project=${encodeURIComponent(project)}`, { body: { name, rule } });
            reload();
            open(made.document_id);
          }}
        />
      )}
    </>
  );
}
