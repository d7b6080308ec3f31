"""The routes of providers, prompts and plays."""
