"""Datasets, experiments and comparisons that are asked for with SQL."""
