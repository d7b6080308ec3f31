"""Providers of models: who is asked, how a call is written for each kind, and how fast. Knows HTTP and no prompt."""
