"""Segments made of segments: merges, deletes, retention, folds, and what is left behind."""
