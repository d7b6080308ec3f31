"""Commands that keep a store: its files, projects and keys."""
