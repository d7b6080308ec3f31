"""The gateway: SDKs of models that are pointed here reach their provider, and each call is a span.

A request goes to the provider as it came, with the provider's key in the place of ours; the answer goes back byte for
byte as it arrives. What was said is read afterwards, apart from the connection.
"""
