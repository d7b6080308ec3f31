"""Play: prompts and models tried on real rows, every run an experiment. Knows the store, the engine's door and HTTP."""
