/** START: an empty project; three snippets with this server's address, that turn into TRACES when the first span arrives. */
import { useEffect, useState } from "preact/hooks";
import { json } from "../../api/http";
import { loadProjects, session } from "../../app/session";
import { copy } from "../../parts/overlay";

const LOOK_MS = 1500; // how often the page looks for the first span

const SNIPPETS: { name: string; make: (url: string, project: string, key: string) => string }[] = [
  {
    name: "Python",
    make: (url, project, key) => `# pip install opentelemetry-sdk opentelemetry-exporter-otlp-proto-http
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(
    endpoint="${url}/v1/traces",
    headers={"x-tracestore-project": "${project}"${key ? ', "x-api-key": "YOUR KEY"' : ""}},
)))
trace.set_tracer_provider(provider)

with trace.get_tracer("hello").start_as_current_span("first span") as span:
    span.set_attribute("answer", 42)
provider.shutdown()`,
  },
  {
    name: "Node",
    make: (url, project, key) => `// npm install @opentelemetry/sdk-node @opentelemetry/exporter-trace-otlp-proto @opentelemetry/api
import { trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { NodeSDK } from "@opentelemetry/sdk-node";

const sdk = new NodeSDK({
  traceExporter: new OTLPTraceExporter({
    url: "${url}/v1/traces",
    headers: { "x-tracestore-project": "${project}"${key ? ', "x-api-key": "YOUR KEY"' : ""} },
  }),
});
sdk.start();
trace.getTracer("hello").startActiveSpan("first span", (span) => {
  span.setAttribute("answer", 42);
  span.end();
});
await sdk.shutdown();`,
  },
  {
    name: "curl",
    make: (url, project, key) => `curl '${url}/api/import?table=spans&project=${encodeURIComponent(project)}' \\
  -H 'Content-Type: application/x-ndjson' \\${key ? "\n  -H 'x-api-key: YOUR KEY' \\" : ""}
  --data-binary '{"name": "first span", "attributes": {"answer": 42}, "input": "hello", "output": "world"}'`,
  },
];

export function Start({ project }: { project: string }) {
  const [at, setAt] = useState(0);
  const key = session.value?.keys_required ? "needed" : "";
  useEffect(() => {
    const timer = setInterval(() => {
      json("/healthz").then(loadProjects).catch(() => {});
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  const text = SNIPPETS[at]!.make(window.location.origin, project, key);
  return (
    <div class="body">
      <div class="start">
        <h1>Send the first span to {project}</h1>
        <p class="muted">Any OpenTelemetry SDK works as it is. Choose one, run it, and this page shows what arrives.</p>
        <div class="tabs" role="tablist">
          {SNIPPETS.map((each, i) => (
            <button key={each.name} role="tab" aria-selected={i === at} onClick={() => setAt(i)}>
              {each.name}
            </button>
          ))}
          <span class="gap" />
          <button onClick={() => void copy(text, "Snippet copied")}>Copy</button>
        </div>
        <pre class="code" tabIndex={0} aria-label={`${SNIPPETS[at]!.name} snippet`}>
          {text}
        </pre>
        <div class="waiting muted" role="status">
          <span class="pulse" /> Waiting for the first span…
        </div>
        <p class="muted">
          Just looking? <code>tracestore demo --keep</code> fills a store of its own with a day of a support agent. The API is at <a class="link" href="/docs" target="_blank" rel="noreferrer">/docs</a>.
        </p>
      </div>
    </div>
  );
}
