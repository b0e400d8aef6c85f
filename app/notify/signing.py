"""Signs what is posted as Standard Webhooks does, so that a receiver's usual library can tell that it is ours.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, "Signature scheme" (read 2026-11-29).
"""

from __future__ import annotations

import base64
import hmac


def headers(key: bytes, webhook_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a post; `timestamp` is of this attempt, in seconds."""
    signed = b".".join([webhook_id.encode(), str(timestamp).encode(), body])
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {"webhook-id": webhook_id, "webhook-timestamp": str(timestamp), "webhook-signature": f"v1,{signature}"}
