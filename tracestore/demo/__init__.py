"""The tour that `tracestore demo` gives."""

from tracestore.demo.tour import run_demo

__all__ = ["run_demo"]
