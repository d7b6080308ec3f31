"""OpenAI's client by OpenTelemetry's own instrumentation, whose content travels in log records."""

import os

import openai_calls
from common import tracer_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"
provider = tracer_provider()
records = LoggerProvider()
records.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
OpenAIInstrumentor().instrument(tracer_provider=provider, logger_provider=records)
# It sees no call of the Responses API.
openai_calls.ask_all(with_responses=False)
records.shutdown()
provider.shutdown()
