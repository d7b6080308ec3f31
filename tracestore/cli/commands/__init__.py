"""The commands, a room for each heading of the help; `tracestore.cli.command_list` names them all."""
