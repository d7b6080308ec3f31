"""Tools that are documents: Python functions in the sandbox, and requests to hosts that the settings name."""
