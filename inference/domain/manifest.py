"""A publisher's word for a model file: a manifest that names its bytes, and an Ed25519 signature over it.

The signature (RFC 8032) is over the manifest's very bytes, so nothing depends on how JSON is written.
Keys and signatures are base64: 32 and 64 bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from inference.domain.gguf import ModelMetadata
from kernel.errors import InvalidError

FORMAT = "taximeter-model/1"


class SignatureRefused(InvalidError):
    """A publisher's key is set, and the model does not carry its word."""

    code = "model_signature_invalid"


def build_manifest(*, digest: str, size_bytes: int, metadata: ModelMetadata) -> bytes:
    """The manifest of a model file, as bytes to be signed and kept."""
    content = {
        "format": FORMAT,
        "sha256": digest,
        "size_bytes": size_bytes,
        "name": metadata.name,
        "architecture": metadata.architecture,
        "license": metadata.license,
    }
    return json.dumps(content, indent=1).encode()


def sign(manifest: bytes, key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.sign(manifest)).decode()


def public_key_text(key: Ed25519PrivateKey) -> str:
    """The public key as `TAXIMETER_MODEL_PUBLISHER_KEYS` takes it."""
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def read_public_key(text: str) -> Ed25519PublicKey:
    """A publisher's public key; raises `ValueError`."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise ValueError(f"{text!r} is no Ed25519 public key: 32 bytes in base64") from None


def require_signature(*, digest: str, manifest: bytes, signature: str, keys: Sequence[str]) -> None:
    """Raises `SignatureRefused` where `keys` are set and none of them signed a manifest of `digest`."""
    if not keys:
        return
    if not manifest or not signature:
        raise SignatureRefused("The model is not signed, and a publisher's key is set", code="model_signature_missing")
    try:
        named = json.loads(manifest)
        raw = base64.b64decode(signature, validate=True)
    except (ValueError, RecursionError):
        raise SignatureRefused("The model's manifest or signature cannot be read") from None
    if not isinstance(named, dict) or named.get("format") != FORMAT or named.get("sha256") != digest:
        raise SignatureRefused("The model's manifest is of another file")
    if not any(_signed(read_public_key(key), raw, manifest) for key in keys):
        raise SignatureRefused("The model's signature is not of a publisher whose key is set")


def _signed(key: Ed25519PublicKey, signature: bytes, manifest: bytes) -> bool:
    try:
        key.verify(signature, manifest)
    except InvalidSignature:
        return False
    return True
