"""Commands that start a server, or look at what one will meet."""
