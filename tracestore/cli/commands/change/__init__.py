"""Commands that bring rows in, change them or take them out."""
