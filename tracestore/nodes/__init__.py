"""What nodes ask each other over HTTP: which rows they have in memory, and to write them to segments."""
