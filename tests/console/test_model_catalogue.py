"""The catalogue of models in the console: looked at by everyone, recalled by who runs the installation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inference.engine.model_file import describe_model_file
from inference.facade import add_model, get_model
from tests.console.conftest import PASSWORD, Vendor, make_vendor
from tests.inference.engine_process import MODELS

NOON = datetime(2026, 10, 5, 12, tzinfo=UTC)


@pytest.fixture
def model(vendor: Vendor):
    return add_model(file=describe_model_file(MODELS / "tiny-mamba.gguf"), actor="configuration", now=NOON)


def calls_of(model, *tasks: str) -> list[dict[str, object]]:
    return [
        {
            "specversion": "1.0", "id": f"call/{number}", "source": "door", "type": "inference.call", "subject": "acme",
            "time": "2026-10-05T12:00:00Z", "data": {"task_id": task, "model_digest": model.digest, "input_tokens": 3},
        }
        for number, task in enumerate(tasks)
    ]  # fmt: skip


def test_a_model_shows_what_it_is_and_the_tasks_it_worked_on(vendor: Vendor, model) -> None:
    vendor.record(calls_of(model, "ticket & one", "ticket & one", "ticket-2"))
    listed = vendor.client.get("/model-catalogue").content.decode()
    assert model.key in listed
    assert "mamba" in listed
    page = vendor.client.get(f"/model-catalogue/{model.key}").content.decode()
    assert model.digest in page
    assert '<a href="/task?id=ticket%20%26%20one">ticket &amp; one</a>' in page
    assert "ticket-2" in page


def test_tasks_are_shown_page_by_page(vendor: Vendor, model) -> None:
    vendor.record(calls_of(model, *(f"t-{number:03}" for number in range(60))))
    first = vendor.client.get(f"/model-catalogue/{model.digest}").content.decode()
    second = vendor.client.get(f"/model-catalogue/{model.digest}?page=2").content.decode()
    assert ("t-049" in first, "t-050" in first, "?page=2" in first) == (True, False, True)
    assert ("t-049" in second, "t-059" in second, "?page=3" in second) == (False, True, False)
    assert vendor.client.get(f"/model-catalogue/{model.digest}?page=x").status_code == 422


def test_the_tasks_of_others_are_not_shown(vendor: Vendor, model) -> None:
    vendor.record(calls_of(model, "ticket-1"))
    assert "ticket-1" not in make_vendor("Stranger").client.get(f"/model-catalogue/{model.key}").content.decode()


def test_an_admin_recalls_a_model_with_a_reason_and_it_stays_to_be_seen(vendor: Vendor, model) -> None:
    admin = vendor.member("admin")
    address = f"/model-catalogue/{model.digest}/recall"
    assert "Your password" in admin.post(address, {"reason": "leaks"}).content.decode()
    assert get_model(model.digest).recalled_at is None
    admin.post("/confirm", {"password": PASSWORD})
    assert admin.post(address, {"reason": " "}).status_code == 422
    assert admin.post(address, {"reason": "leaks training data"}).status_code == 302
    recalled = get_model(model.digest)
    assert recalled.recall_reason == "leaks training data"
    assert recalled.recalled_by == f"admin@{vendor.organization.key}.example"
    page = admin.get(f"/model-catalogue/{model.digest}").content.decode()
    assert "leaks training data" in page
    assert "Recall it" not in page


def test_who_does_not_run_the_installation_recalls_nothing(vendor: Vendor, model) -> None:
    make_vendor("Another")  # of two organizations none is the operator, unless the settings name one
    vendor.client.post("/confirm", {"password": PASSWORD})
    assert vendor.client.post(f"/model-catalogue/{model.digest}/recall", {"reason": "no"}).status_code == 422
    assert "Recall it" not in vendor.client.get(f"/model-catalogue/{model.digest}").content.decode()
    assert get_model(model.digest).recalled_at is None
