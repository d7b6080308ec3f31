"""The commands, a module for each group of them; `tracestore.cli.command_list` names them all."""
