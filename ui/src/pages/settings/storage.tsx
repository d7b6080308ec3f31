/** What the store holds, what lies where in time, and whether something is wrong. */
import { json } from "../../api/http";
import { query } from "../../api/query";
import { pageUrl } from "../../app/location";
import { bytes, count, plural } from "../../format";
import { Chart } from "../../parts/chart";
import { useLoad } from "../../parts/load";
import { Failure, State, Waiting } from "../../parts/states";

export interface Status {
  version: string;
  folder: string | null;
  numbers: Record<string, number> | null; // not told to a key of some projects
}

const SQL = `SELECT strftime(min_time, '%Y-%m-%d') AS day, "table", round(sum(bytes) / 1000)::BIGINT AS kB\nFROM segments\nGROUP BY ALL\nORDER BY day DESC`;

export function Storage({ project }: { project: string }) {
  const status = useLoad("status", (signal) => json<Status>("/api/status", { signal }));
  const days = useLoad(`segments ${project}`, (signal) => query(SQL, { project, signal }));
  if (status.error) return <Failure error={status.error} retry={status.reload} />;
  if (!status.data) return <Waiting />;
  const { numbers } = status.data;
  return (
    <div class="body pad settings wide">
      {numbers && <Numbers numbers={numbers} />}
      <section>
        <h2>kB of {project} by day</h2>
        {days.error ? (
          <Failure error={days.error} retry={days.reload} />
        ) : !days.data ? (
          <Waiting />
        ) : days.data.rows.length ? (
          <div class="storage-chart">
            <Chart answer={days.data} kind="stacked" />
          </div>
        ) : (
          <State title="No segments yet">
            <p>Rows lie in memory and in the log until there are enough of them for a file.</p>
          </State>
        )}
      </section>
      <p>
        <a class="link" href={pageUrl(project, "ask", { sql: "SELECT * FROM segments ORDER BY max_time DESC" })}>
          All segments in SQL
        </a>
        {" · "}
        <a class="link" href="/metrics" target="_blank">
          Metrics for Prometheus
        </a>
      </p>
    </div>
  );
}

function Numbers({ numbers }: { numbers: Record<string, number> }) {
  const n = (name: string): number => numbers[name] ?? 0;
  const wrong = [
    n("faults") > 0 && `${plural(n("faults"), "file")} are not as they should be; tracestore check names them.`,
    n("quarantined") > 0 && `${plural(n("quarantined"), "segment")} are left out since they are damaged.`,
    n("lost_log_bytes") > 0 && `${bytes(n("lost_log_bytes"))} of the log could not be read after the last start; their rows are lost.`,
  ].filter(Boolean) as string[];
  return (
    <>
      <section>
        <h2>Health</h2>
        {wrong.length ? (
          wrong.map((text) => (
            <p class="note err" key={text} role="alert">
              {text}
            </p>
          ))
        ) : (
          <p class="good">Every file is as it should be.</p>
        )}
      </section>
      <section>
        <h2>The whole store</h2>
        <dl class="numbers">
          <Fact label="in segments" value={bytes(n("segment_bytes"))} title={`${count(n("segment_bytes"))} bytes`} />
          <Fact label="rows in segments" value={count(n("segment_rows"))} />
          <Fact label="segments" value={count(n("segments"))} />
          <Fact label="rows in memory" value={count(n("memory_rows"))} />
          <Fact label="in memory" value={bytes(n("memory_bytes"))} title={`${count(n("memory_bytes"))} bytes`} />
          <Fact label="of log" value={bytes(n("wal_bytes"))} title={`${count(n("wal_bytes"))} bytes`} />
        </dl>
      </section>
    </>
  );
}

const Fact = ({ label, value, title }: { label: string; value: string; title?: string }) => (
  <div title={title}>
    <dd>{value}</dd>
    <dt>{label}</dt>
  </div>
);
