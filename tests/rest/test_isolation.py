"""What a transaction sees of what others do meanwhile."""

from __future__ import annotations

import threading

import pytest
from django.db import connection, transaction

from accounts.models import Organization
from rest.isolation import one_snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(name: str) -> None:
    """Makes an organization on another connection."""

    def work() -> None:
        Organization.objects.create(key=name, name=name)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def count() -> int:
    return Organization.objects.filter(key__startswith="isolation-").count()


def test_what_others_write_meanwhile_is_not_seen_within_one_snapshot() -> None:
    with one_snapshot():
        assert count() == 0
        elsewhere("isolation-1")
        assert count() == 0
    assert count() == 1


def test_within_another_transaction_the_isolation_is_that_ones() -> None:
    with transaction.atomic():
        assert count() == 0
        with one_snapshot():
            elsewhere("isolation-1")
            assert count() == 1
