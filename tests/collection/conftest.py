from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.facade import create_api_key
from tests.api import Api
from tests.collection.stripe_fake import StripeFake
from tests.collection.vendor import Vendor, make_vendor


@pytest.fixture
def fake(settings: Any) -> Iterator[StripeFake]:
    """A Stripe of its own, to which all of this process's clients speak."""
    logging.getLogger("stripe").setLevel(logging.WARNING)
    running = StripeFake()
    settings.STRIPE_API_BASE, settings.STRIPE_TIMEOUT_SECONDS = running.address, 5
    yield running
    running.stop()


@pytest.fixture
def vendor(db: None, fake: StripeFake) -> Vendor:
    """Collects by Stripe, and charges an invoice when it is finalized."""
    return make_vendor(fake)


@pytest.fixture
def api(vendor: Vendor) -> Api:
    """Of the vendor's organization."""
    _, secret = create_api_key(organization=vendor.organization, scopes=["admin"])
    return Api(vendor.organization, Client(headers={"authorization": f"Bearer {secret}"}))
