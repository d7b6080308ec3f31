"""The routes of the query API."""
