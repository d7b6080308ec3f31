"""The web UI as the server gives it: the built pages, and the session that a browser signs in to."""
