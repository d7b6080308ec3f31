"""The rows in memory, and the keys that tell a re-sent span."""
