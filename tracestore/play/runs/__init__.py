"""Plays: columns tried on rows, cell by cell, each column's run an experiment."""
