// Vercel's AI SDK, with its telemetry switched on.
import { createOpenAI } from "@ai-sdk/openai";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { embed, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";

const provider = new NodeTracerProvider({
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
});
provider.register();

const openai = createOpenAI({ baseURL: `${process.env.MODELS_URL}/v1`, apiKey: "none" });
const asked = {
  system: "You help customers.",
  prompt: "Where is my late parcel?",
  experimental_telemetry: {
    isEnabled: true,
    metadata: { userId: "u1", sessionId: "s1", tags: ["a", "b"] },
  },
};
const tools = {
  lookup_order: tool({
    description: "Says where an order is.",
    inputSchema: jsonSchema({
      type: "object",
      properties: { order: { type: "integer" } },
      required: ["order"],
    }),
    execute: async () => ({ city: "Bonn" }),
  }),
};

await generateText({ ...asked, model: openai.chat("gpt-4o") });
await generateText({ ...asked, model: openai.chat("gpt-4o"), tools, stopWhen: stepCountIs(3) });
const stream = streamText({ ...asked, model: openai.chat("gpt-4o") });
for await (const _ of stream.textStream) {
  // Read to its end: usage comes last.
}
await embed({
  model: openai.embedding("text-embedding-3-small"),
  value: "late parcel",
  experimental_telemetry: asked.experimental_telemetry,
});
await provider.shutdown();
