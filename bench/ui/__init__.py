"""How fast are the pages? See README.md."""
