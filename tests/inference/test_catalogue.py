"""The model catalogue: what is entered, what is refused and why, what a recall does; all of it audited."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command

from accounts.facade import create_organization
from accounts.models import AuditEntry
from inference.domain.manifest import SignatureRefused
from inference.engine.model_file import describe_model_file
from inference.facade import Model, add_model, recall_model
from inference.services.catalogue import ModelKeyTaken, ModelRecalled, ensure_model
from kernel.errors import InvalidError
from metering.facade import ingest
from tests.inference.engine_process import MODELS

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def mamba(tmp_path) -> Path:
    """A copy of the tiny Mamba model, to be signed or spoiled."""
    return Path(shutil.copy(MODELS / "tiny-mamba.gguf", tmp_path / "tiny-mamba.gguf"))


def add(path: Path, **more) -> Model:
    return add_model(file=describe_model_file(path), actor="tester", now=NOON, **more)


def audited(action: str) -> list[tuple[str, str, dict[str, object]]]:
    entries = AuditEntry.objects.filter(action=action).order_by("id")
    return [(entry.actor, entry.target, entry.detail) for entry in entries]


def test_a_model_is_its_bytes_wherever_they_lie(mamba):
    create_organization(name="Vendor")
    first = add(MODELS / "tiny-mamba.gguf")
    add_model(file=describe_model_file(mamba), actor="tester", now=NOON + timedelta(hours=1))
    (model,) = Model.objects.all()
    assert (model.digest, model.key, model.architecture) == (first.digest, "tiny-random-mamba", "mamba")
    assert (model.quantization, model.parameters, model.license) == ("Q8_0", 116_672, "CC0-1.0")
    assert (model.registered_at, model.added_by, model.path) == (NOON, "tester", str(mamba))
    assert [actor for actor, _, _ in audited("model.add")] == ["tester"]
    assert [detail["file"] for _, _, detail in audited("model.update")] == [mamba.name]


def test_two_models_cannot_have_one_key():
    add(MODELS / "tiny-mamba.gguf", key="small")
    with pytest.raises(ModelKeyTaken):
        add(MODELS / "tiny-llama.gguf", key="small")
    assert Model.objects.count() == 1


def test_the_configured_model_is_entered_once_and_never_changed_behind_its_back(mamba):
    first = ensure_model(configured=str(mamba), now=NOON)
    content = bytearray(mamba.read_bytes())
    content[-1] ^= 1
    mamba.write_bytes(content)
    assert ensure_model(configured=str(mamba), now=NOON).digest == first.digest
    assert Model.objects.count() == 1


@pytest.fixture
def publisher(tmp_path, settings) -> Path:
    """A publisher's private key; its public key is the one that is trusted."""
    key = Ed25519PrivateKey.generate()
    path = tmp_path / "publisher.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def sign(path: Path, key: Path, capsys) -> str:
    call_command("sign_model", str(path), key=key)
    return capsys.readouterr().out.strip()


def test_a_signed_model_is_entered_where_a_publisher_is_trusted(mamba, publisher, settings, capsys):
    settings.MODEL_PUBLISHER_KEYS = (sign(mamba, publisher, capsys),)
    assert add(mamba).signature


def test_an_unsigned_model_is_refused_where_a_publisher_is_trusted_and_audited(mamba, publisher, settings, capsys):
    create_organization(name="Vendor")
    settings.MODEL_PUBLISHER_KEYS = (sign(mamba, publisher, capsys),)
    Path(f"{mamba}.manifest.sig").unlink()
    with pytest.raises(SignatureRefused) as refused:
        add(mamba)
    assert refused.value.code == "model_signature_missing"
    ((actor, target, detail),) = audited("model.refuse")
    assert (actor, target, detail["code"]) == (
        "tester",
        describe_model_file(mamba).digest,
        "model_signature_missing",
    )
    assert Model.objects.count() == 0


@pytest.mark.parametrize("spoil", ["signature", "manifest", "key", "file"])
def test_a_wrong_signature_is_refused_and_audited(mamba, publisher, settings, capsys, spoil):
    create_organization(name="Vendor")
    trusted = sign(mamba, publisher, capsys)
    if spoil == "key":
        trusted = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # RFC 8032's second test key
    elif spoil == "file":  # another file, the manifest and its good signature beside it
        mamba.write_bytes((MODELS / "tiny-llama.gguf").read_bytes())
    else:
        path = Path(f"{mamba}.manifest.{'sig' if spoil == 'signature' else 'json'}")
        text = path.read_text()
        path.write_text(text.replace(text[10], "x" if text[10] != "x" else "y", 1))
    settings.MODEL_PUBLISHER_KEYS = (trusted,)
    with pytest.raises(SignatureRefused):
        add(mamba)
    assert [detail["code"] for _, _, detail in audited("model.refuse")] == ["model_signature_invalid"]


def call(number: int, *, digest: str, task: str | None, source: str = "taximeter/inference") -> dict[str, object]:
    data = {"model_digest": digest} | ({"task_id": task} if task else {})
    return {
        "specversion": "1.0", "id": f"call/{number}", "source": source, "type": "inference.call", "subject": "acme",
        "time": f"2026-11-01T10:0{number}:00Z", "data": data,
    }  # fmt: skip


def test_a_recall_lists_the_tasks_that_the_model_worked_on(capsys):
    vendor, other = create_organization(name="Vendor"), create_organization(name="Other")
    model = add(MODELS / "tiny-mamba.gguf")
    events = [
        call(1, digest=model.digest, task="ticket-1"),
        call(2, digest=model.digest, task="ticket-1"),
        call(3, digest=model.digest, task="ticket-2"),
        call(4, digest="another", task="ticket-3"),
    ]
    ingest(organization_id=vendor.pk, events=events, received_at=NOON)
    call_command("recall_model", "tiny-random-mamba", reason="leaks")
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == ["vendor\tacme\tticket-1\t2 calls", "vendor\tacme\tticket-2\t1 calls"]
    model.refresh_from_db()
    assert (model.recall_reason, model.recalled_by) == ("leaks", "command line")
    recalls = AuditEntry.objects.filter(action="model.recall")
    assert {entry.organization_id: entry.detail["tasks"] for entry in recalls} == {vendor.pk: 2, other.pk: 0}


def test_a_recalled_model_is_not_entered_again():
    create_organization(name="Vendor")
    model = add(MODELS / "tiny-mamba.gguf")
    recall_model(model=model, reason="leaks", actor="tester", now=NOON)
    with pytest.raises(ModelRecalled):
        add(MODELS / "tiny-mamba.gguf", key="under another name")
    assert [detail["code"] for _, _, detail in audited("model.refuse")] == ["model_recalled"]


def test_a_recall_needs_a_reason():
    model = add(MODELS / "tiny-mamba.gguf")
    with pytest.raises(InvalidError):
        recall_model(model=model, reason=" ", actor="tester", now=NOON)
    with pytest.raises(CommandError, match="no model"):
        call_command("recall_model", "unknown", reason="leaks")
