// Sends two spans through one of the JavaScript SDK's exporters: node send.mjs http|proto|grpc URL
import { SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter as GrpcExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtoExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const [kind, url] = process.argv.slice(2);
const exporters = { http: JsonExporter, proto: ProtoExporter, grpc: GrpcExporter };
const exporter = new exporters[kind]({ url });
const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
provider.register();

trace.getTracer("javascript", "1.0").startActiveSpan("root", (root) => {
  root.setAttributes({ s: "text", i: 7, f: 0.5, b: true, list: ["x", "y"], numbers: [1, 2] });
  trace.getTracer("javascript").startActiveSpan("child", (child) => {
    child.recordException(new Error("no stock"));
    child.setStatus({ code: SpanStatusCode.ERROR, message: "no stock" });
    child.end();
  });
  root.end();
});
await provider.shutdown();
