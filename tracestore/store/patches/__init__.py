"""Late changes of spans, merged into what is read."""
