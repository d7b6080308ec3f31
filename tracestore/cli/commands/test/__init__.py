"""Commands that try a task over cases and score what production did."""
