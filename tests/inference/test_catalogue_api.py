"""The catalogue and the engine over the API: for whoever runs the installation."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest

from accounts.models import AuditEntry
from inference.engine.model_file import describe_model_file
from metering.facade import ingest
from tests.api import make_api
from tests.inference.engine_process import MODELS

pytestmark = pytest.mark.django_db

DIGEST = describe_model_file(MODELS / "tiny-mamba.gguf").digest
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def model_directory(settings, tmp_path):
    settings.MODEL_DIR = str(tmp_path)
    shutil.copy(MODELS / "tiny-mamba.gguf", tmp_path / "mamba.gguf")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF")
    return tmp_path


def test_a_model_is_added_listed_and_recalled(api):
    added = api.post("models", {"file": "mamba.gguf"})
    assert added.status_code == 201
    assert added.json()["id"] == DIGEST
    assert (added.json()["key"], added.json()["architecture"]) == ("tiny-random-mamba", "mamba")
    assert added.json()["cost"]["compute_second"] == "0.000012"  # the rate of the settings
    rate = {"provider": "taximeter", "model": "tiny-random-mamba", "compute_second": "0.00002"}
    assert api.post("cost_rates", rate | {"effective_from": "2026-11-01T00:00:00Z"}).status_code == 201
    (listed,) = api.get("models").json()["data"]
    assert (listed["key"], listed["cost"]["compute_second"]) == ("tiny-random-mamba", "0.00002")
    recalled = api.post(f"models/{DIGEST}/recall", {"reason": "leaks"})
    assert recalled.status_code == 200
    assert recalled.json()["recall_reason"] == "leaks"
    assert api.get("models/tiny-random-mamba").json()["recalled_at"] is not None
    assert api.post("models", {"file": "mamba.gguf"}).json()["code"] == "model_recalled"
    actions = AuditEntry.objects.filter(action__startswith="model").order_by("id").values_list("action", flat=True)
    assert list(actions) == ["model.add", "model.recall", "model.refuse"]


def test_the_tasks_of_a_model_are_listed_page_by_page_and_are_the_organizations_own(api, another_api):
    for number, organization in enumerate([api.organization, api.organization, another_api.organization]):
        event = {
            "specversion": "1.0", "id": f"call/{number}", "source": "s", "type": "inference.call", "subject": "acme",
            "time": f"2026-11-01T10:0{number}:00Z", "data": {"model_digest": DIGEST, "task_id": f"ticket-{number}"},
        }  # fmt: skip
        ingest(organization_id=organization.pk, events=[event], received_at=NOON)
    from inference.facade import add_model

    add_model(file=describe_model_file(MODELS / "tiny-mamba.gguf"), actor="tester", now=NOON)
    first = api.get(f"models/{DIGEST}/tasks", limit="1").json()
    assert first["data"] == [
        {
            "task_id": "ticket-0", "customer": "acme", "calls": 1,
            "first_at": "2026-11-01T10:00:00Z", "last_at": "2026-11-01T10:00:00Z",
        }
    ]  # fmt: skip
    second = api.get(f"models/{DIGEST}/tasks", cursor=first["next_cursor"]).json()
    assert [task["task_id"] for task in second["data"]] == ["ticket-1"]
    assert second["next_cursor"] is None


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("missing.gguf", "model_file_missing"),
        ("../../etc/passwd", "model_file_missing"),
        ("/etc/passwd", "model_file_missing"),
        ("a\x00b", "model_file_missing"),
        ("broken.gguf", "model_file_invalid"),
    ],
)
def test_only_models_of_their_directory_are_added(api, file, code):
    answer = api.post("models", {"file": file})
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] in {code, "invalid"}


def test_only_the_operators_organization_may_change_the_catalogue(api, another_api, settings):
    refused = api.post("models", {"file": "mamba.gguf"})  # there are two organizations, and none is named
    assert (refused.status_code, refused.json()["code"]) == (403, "operators_only")
    settings.OPERATOR_ORGANIZATION = api.organization.key
    assert api.post("models", {"file": "mamba.gguf"}).status_code == 201
    assert another_api.post(f"models/{DIGEST}/recall", {"reason": "x"}).status_code == 403
    assert another_api.get("engine/metrics").status_code == 403
    assert another_api.get("models").status_code == 200


def test_the_engines_numbers_and_models_are_reached_through_the_api(api, settings, engine):
    settings.ENGINE_SOCKET = str(engine.socket)
    answer = api.get("engine/metrics")
    assert answer.status_code == 200
    assert b"taximeter_engine_requests_running 0" in answer.content
    assert api.post("models/unknown/load", {}).status_code == 404
    settings.ENGINE_SOCKET = str(engine.socket) + "x"
    assert api.get("engine/metrics").status_code == 503


def test_reading_needs_no_more_than_the_scope_read():
    assert make_api("Vendor", scope="ingest").get("models").status_code == 403


@pytest.mark.parametrize("reference", ["%00", "x" * 500, "..%2f..", "%F0%9F%92%A9", DIGEST[:10]])
def test_no_reference_makes_the_server_fail(api, reference):
    for path in (f"models/{reference}", f"models/{reference}/tasks"):
        assert api.get(path).status_code == 404
    for action in ("recall", "load", "unload"):
        assert api.post(f"models/{reference}/{action}", {"reason": "x"}).status_code in {404, 422}


@pytest.mark.parametrize(
    "body",
    [[], {}, {"file": None}, {"file": ["a"]}, {"file": "mamba.gguf", "key": "a b"}, {"file": "\ud800"}, {"x": 1}],
)
def test_no_body_makes_the_server_fail(api, body):
    assert 400 <= api.post("models", body).status_code < 500
