"""Doors for other tools: what they ask in their own words, answered by the same plans as SQL."""
