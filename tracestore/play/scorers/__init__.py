"""Scorers that are documents: models that judge by a template, and Python functions in the sandbox."""
