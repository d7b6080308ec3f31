"""Tempo's API under `/tempo`, for Grafana's data source and its pages."""
