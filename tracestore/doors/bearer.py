"""Keys that come in pairs, as the one key that they hold."""

from __future__ import annotations

import base64
import binascii


def bearer_of(authorization: bytes) -> bytes:
    """Returns a header's value with the secret of a pair (`Basic`, public and secret) as a bearer's key."""
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return authorization
    try:
        _, _, secret = base64.b64decode(token.strip(), validate=True).partition(b":")
    except binascii.Error:
        secret = b""
    return b"Bearer " + secret
