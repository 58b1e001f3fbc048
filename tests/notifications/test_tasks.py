"""What the schedule starts."""

from __future__ import annotations

import pytest
from django.conf import settings

from config.celery import app
from kernel.clock import system_clock
from notifications.facade import Announcement, announce, create_endpoint, queue_mail
from notifications.models import Mail, WebhookDelivery
from notifications.tasks import prune_logs, send_due_mail, send_due_webhooks
from tests.api import Api
from tests.notifications.conftest import Receiver

pytestmark = pytest.mark.django_db


def test_everything_that_is_scheduled_exists() -> None:
    app.loader.import_default_modules()
    scheduled = {one["task"] for one in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled - set(app.tasks) == set()
    assert {"notifications.send_webhooks", "notifications.send_mail", "notifications.prune"} <= scheduled


def test_the_tasks_send_what_is_due_by_the_machines_clock(api: Api, receiver: Receiver) -> None:
    now, organization_id = system_clock(), api.organization.pk
    assert (send_due_webhooks(), send_due_mail(), prune_logs()) == (0, 0, 0)
    create_endpoint(organization_id=organization_id, url=receiver.url, now=now)
    announce([Announcement(organization_id, "customer.created", "cus_1", {"number": 1}, now)])
    link = "https://billing.example.com/portal/x"
    queue_mail(
        organization_id=organization_id, kind="portal_link", to=["a@b.example"], context={"link": link}, key="k", at=now
    )
    assert (send_due_webhooks(), send_due_mail()) == (1, 1)
    assert receiver.numbers == [1]
    assert WebhookDelivery.objects.get().status == "delivered"
    assert Mail.objects.get().status == "sent"
