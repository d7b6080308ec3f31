"""Texts and messages of prompts, made from templates and values; the same for the server and for who asks it."""

from tracestore.templates.mustache import Rendered, check, render, variables

__all__ = ["Rendered", "check", "render", "variables"]
