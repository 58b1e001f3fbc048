"""Adding models to the catalogue and recalling them. What happens to a model is every organization's business, so
it is written into the audit trail of each."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction

from accounts.facade import Organization, record_audit
from inference.domain.manifest import require_signature
from inference.engine.model_file import ModelFile, find_model_file, model_path
from inference.models import Model
from inference.queries.models import tasks_of_model
from kernel.errors import ConflictError, InvalidError
from kernel.text import require_text

#: The channel on which engines hear that the catalogue has changed.
CHANNEL = "taximeter_models"


class ModelKeyTaken(ConflictError):
    """Another model has this key."""

    code = "model_key_taken"


class ModelRecalled(ConflictError):
    """The model was recalled; its bytes are never used again."""

    code = "model_recalled"


def add_model(*, file: ModelFile, actor: str, now: datetime, key: str | None = None) -> Model:
    """Enter a model file; the same bytes are the same entry, wherever they lie.

    A manifest and signature beside the file (`<file>.manifest.json`, `<file>.manifest.sig`) are taken along.
    Raises `ModelKeyTaken`, `ModelRecalled` or `SignatureRefused`; a refusal is audited.
    """
    manifest, signature = _beside(file.path, "json"), _beside(file.path, "sig").strip()
    known = Model.objects.filter(digest=file.digest).first()
    try:
        if known is not None and known.recalled_at is not None:
            raise ModelRecalled(f"This model was recalled: {known.recall_reason}")
        require_signature(
            digest=file.digest, manifest=manifest.encode(), signature=signature, keys=settings.MODEL_PUBLISHER_KEYS
        )
    except (ModelRecalled, InvalidError) as error:
        audit_everywhere(actor=actor, action="model.refuse", target=file.digest, code=error.code, reason=error.detail)
        raise
    described = _described(file) | {"manifest": manifest, "signature": signature}
    described["key"] = key or (known.key if known else file.id)
    try:
        with transaction.atomic():
            model, is_new = Model.objects.update_or_create(
                digest=file.digest,
                defaults=described,
                create_defaults={**described, "registered_at": now, "added_by": actor},
            )
            audit_everywhere(
                actor=actor,
                action="model.add" if is_new else "model.update",
                target=file.digest,
                key=model.key,
                file=file.path.name,
            )
            announce()
    except IntegrityError:
        raise ModelKeyTaken(f"Another model is called {described['key']!r}; give this one a key of its own") from None
    return model


def ensure_model(*, configured: str, now: datetime) -> Model:
    """The model that the settings name (empty: the default one), entered when its path is first seen.

    A file that changed since is another model: it is not entered by itself, and the engine refuses it for the
    digest that does not match. Raises `ModelFileError`, and as `add_model` does.
    """
    known = Model.objects.filter(path=str(model_path(configured))).exclude(metadata={})
    if found := known.order_by("-registered_at").first():
        return found
    file = find_model_file(configured)
    if Model.objects.filter(key=file.id).exclude(digest=file.digest).exists():
        file = replace(file, id=f"{file.id[:180]}-{file.digest[:8]}")
    return add_model(file=file, actor="configuration", now=now)


def recall_model(*, model: Model, reason: str, actor: str, now: datetime) -> Model:
    """Take a model out of use, everywhere and for good: engines refuse it at once and end what they have begun.

    Each organization's audit trail says how many tasks of its own the model worked on; `tasks_of_model` lists them.
    """
    reason = reason.strip()
    require_text(reason, field="reason", lines=True)
    if not reason or len(reason) > 1000:
        raise InvalidError("A recall needs a reason of at most 1,000 characters", code="reason_required")
    with transaction.atomic():
        model = Model.objects.select_for_update().get(pk=model.pk)
        if model.recalled_at is not None:
            return model
        model.recalled_at, model.recalled_by, model.recall_reason = now, actor, reason
        model.save(update_fields=["recalled_at", "recalled_by", "recall_reason"])
        for organization_id in _organizations():
            tasks = tasks_of_model(organization_id=organization_id, digest=model.digest).count()
            record_audit(
                organization_id=organization_id,
                actor=actor,
                action="model.recall",
                target=model.digest,
                key=model.key,
                reason=reason,
                tasks=tasks,
            )
        announce()
    return model


def audit_everywhere(*, actor: str, action: str, target: str, **detail: Any) -> None:
    """Write the same into every organization's audit trail."""
    for organization_id in _organizations():
        record_audit(organization_id=organization_id, actor=actor, action=action, target=target, **detail)


def announce() -> None:
    """Tells the engines that the catalogue has changed, once the transaction is through."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


def _organizations() -> list[int]:
    return list(Organization.objects.order_by("pk").values_list("pk", flat=True))


def _described(file: ModelFile) -> dict[str, Any]:
    about = file.metadata
    return {
        "name": about.name[:200],
        "architecture": about.architecture[:64],
        "quantization": about.quantization[:32],
        "parameters": about.parameters,
        "context_length": about.context_length,
        "license": about.license[:200],
        "size_bytes": file.size_bytes,
        "path": str(file.path),
        "metadata": asdict(about),
    }


def _beside(path: Path, ending: str) -> str:
    """The text of the file beside a model, empty where there is none."""
    try:
        return Path(f"{path}.manifest.{ending}").read_text(errors="replace")
    except OSError:
        return ""
