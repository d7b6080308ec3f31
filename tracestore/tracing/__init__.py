"""What an application calls to report its own functions: `init` once, `traced` on each. OpenTelemetry underneath."""

from tracestore.tracing.exporting import TracingError, init
from tracestore.tracing.functions import traced

__all__ = ["TracingError", "init", "traced"]
