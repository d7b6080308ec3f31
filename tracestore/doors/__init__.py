"""Doors for programs that speak other protocols; each goes through the API, with its keys and bounds."""
