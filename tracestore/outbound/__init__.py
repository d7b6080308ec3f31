"""Requests that this server sends to hosts that users name: to which it may, and to no other.

Every such request goes through a `Fence`: webhooks of alerts, tools, providers of models. A name is resolved once, each
of its addresses is judged, and the connection is made to one that was. Redirects are not followed, and proxies of the
environment are not asked.
"""
