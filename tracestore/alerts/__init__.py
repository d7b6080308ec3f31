"""Alerts of a store: looked at in the background, told to webhooks until these take it."""
