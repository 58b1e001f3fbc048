from __future__ import annotations

from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.core.management.base import BaseCommand, CommandError

from inference.domain.manifest import build_manifest, public_key_text, sign
from inference.engine.model_file import describe_model_file
from kernel.errors import TaximeterError


class Command(BaseCommand):
    help = (
        "Sign a GGUF file as its publisher: writes FILE.manifest.json and FILE.manifest.sig, and prints the public key "
        "for TAXIMETER_MODEL_PUBLISHER_KEYS. A key is made with: openssl genpkey -algorithm ed25519 -out key.pem"
    )
    requires_system_checks = []

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--key", type=Path, required=True, help="the private key, PEM")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            key = load_pem_private_key(options["key"].read_bytes(), password=None)
            file = describe_model_file(options["path"])
        except (OSError, ValueError, TypeError) as error:
            raise CommandError(f"The key cannot be read: {error}") from error
        except TaximeterError as error:
            raise CommandError(error.detail) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise CommandError("The key must be an Ed25519 key")
        manifest = build_manifest(digest=file.digest, size_bytes=file.size_bytes, metadata=file.metadata)
        Path(f"{file.path}.manifest.json").write_bytes(manifest)
        Path(f"{file.path}.manifest.sig").write_text(sign(manifest, key) + "\n")
        self.stdout.write(public_key_text(key))
