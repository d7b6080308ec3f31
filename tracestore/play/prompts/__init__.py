"""Prompts: versioned documents whose labels move, rendered and run."""
