"""What proves to a receiver that a request is ours: Standard Webhooks (standardwebhooks.com, version 1)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

#: How long the secret before a rotation goes on signing, so that receivers can change over.
OVERLAP_HOURS = 24

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed_headers(*, message_id: str, at: datetime, body: str, keys: Sequence[str]) -> dict[str, str]:
    """The three headers of a message sent `at`, signed with each of `keys`."""
    moment = at.astimezone(UTC)
    signatures = [Webhook(key).sign(msg_id=message_id, timestamp=moment, data=body) for key in keys]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
