/** What runs here, and where to read about it. */
import { json } from "../../api/http";
import { session } from "../../app/session";
import { useLoad } from "../../parts/load";
import { Failure, Waiting } from "../../parts/states";
import type { Status } from "./storage";

export function About() {
  const status = useLoad("status", (signal) => json<Status>("/api/status", { signal }));
  if (status.error) return <Failure error={status.error} retry={status.reload} />;
  if (!status.data) return <Waiting />;
  const who = session.value;
  return (
    <div class="body pad settings">
      <section>
        <h2>tracestore {status.data.version}</h2>
        <dl class="kv">
          <dt>Address</dt>
          <dd class="mono">{window.location.origin}</dd>
          {status.data.folder && (
            <>
              <dt>Folder</dt>
              <dd class="mono">{status.data.folder}</dd>
            </>
          )}
          <dt>You</dt>
          <dd>{who?.keys_required ? `${who.name}: ${who.scopes.join(", ")}${who.projects ? ` in ${who.projects.join(", ")}` : ""}` : "nobody is asked for a key here"}</dd>
        </dl>
        <p>
          <a class="link" href="/docs" target="_blank">
            Every route of the API
          </a>
          {" · "}
          <a class="link" href="/openapi.json" target="_blank">
            OpenAPI
          </a>
        </p>
      </section>
      <section>
        <h2>This page</h2>
        <p class="muted">It asks this server alone, and works without the internet. Press ? for its keys.</p>
      </section>
    </div>
  );
}
