"""Keys are changed without losing a secret or a session: everything encrypted at rest is found and encrypted again."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.facade import client_of_provider, provider_with_key, sealer
from accounts.sealed_factors import hash_recovery_code
from accounts.services.sign_in_providers import save_provider
from collection.models import StripeAccount
from collection.services.secrets import decrypt_secret, encrypt_secret
from notifications.models import WebhookEndpoint
from notifications.services.secrets import reveal_secret, sealed
from rest.encryption import SecretUnreadable, encrypt, encrypted_columns
from tests.accounts.test_signing_in import code_of
from tests.console.conftest import PASSWORD, Vendor, make_vendor
from tests.console.test_sign_in import sign_in
from tests.console.test_two_factor import set_up

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 30, tzinfo=UTC)
OLD, NEW = "old key " * 8, "new key " * 8


@pytest.fixture(name="plain")
def _plain(settings: Any) -> Vendor:
    """An organization with a secret in every encrypted column."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []
    vendor = make_vendor("Northwind")
    set_up(vendor.client)
    sealer(organization_id=vendor.organization.pk, purpose="personal", holder="cus_1")
    StripeAccount.objects.create(
        organization=vendor.organization,
        api_key=encrypt_secret("sk_test_1"),
        webhook_secret=encrypt_secret("whsec_1"),
        created_at=NOW,
    )
    save_provider(
        organization=vendor.organization,
        issuer="https://id.example.com",
        client_id="taximeter",
        client_secret="client secret",
        role_claim="groups",
        roles={"staff": "viewer"},
        is_required=False,
        now=NOW,
    )
    WebhookEndpoint.objects.create(
        organization=vendor.organization,
        url="https://example.com/",
        secret=sealed("whsec_2"),
        previous_secret=sealed("whsec_3"),
        created_at=NOW,
    )
    return vendor


def rotate() -> str:
    said = io.StringIO()
    call_command("rotate_secrets", stdout=said)
    return said.getvalue()


def stored(table: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT t FROM "{table}" t')
        return cursor.fetchall()


@pytest.mark.parametrize("key", ["SECRET_KEY", "PROVIDER_SECRETS_KEY"])
def test_after_a_rotation_the_earlier_key_is_not_needed(plain: Vendor, settings: Any, key: str) -> None:
    setattr(settings, key, NEW)
    settings.SECRET_KEY_FALLBACKS = [OLD] if key == "SECRET_KEY" else []
    said = rotate()
    for column in encrypted_columns():
        assert re.search(rf"{re.escape(column.name)}: [1-9]\d* rotated, 0 current, 0 unreadable", said), said
    if key == "SECRET_KEY":
        assert "sessions: 1 rotated, 0 current, 0 unreadable" in said
    again = rotate()
    assert again.count(": 0 rotated, ") == len(encrypted_columns()) + 1
    if key == "SECRET_KEY":
        settings.SECRET_KEY_FALLBACKS = []
    else:
        settings.SECRET_KEY = "third key " * 8
        settings.SECRET_KEY_FALLBACKS = [OLD]  # sessions are signed with SECRET_KEY
    assert sealer(organization_id=plain.organization.pk, purpose="personal", holder="cus_1")("x").startswith("sealed:")
    account, endpoint = StripeAccount.objects.get(), WebhookEndpoint.objects.get()
    assert decrypt_secret(account.api_key) == "sk_test_1"
    assert decrypt_secret(account.webhook_secret) == "whsec_1"
    assert reveal_secret(endpoint) == "whsec_2"
    assert client_of_provider(provider_with_key("northwind")).client_secret == "client secret"
    assert plain.client.get("/security").status_code == 200
    browser = plain.client.__class__()
    sign_in(browser, plain.user.email, PASSWORD)
    assert browser.post("/sign-in/code", {"code": code_of(TOTPDevice.objects.get())}).status_code == 302


def test_a_lost_key_is_reported_and_nothing_is_changed(plain: Vendor, settings: Any) -> None:
    before = stored("collection_stripeaccount") + stored("otp_totp_totpdevice")
    settings.SECRET_KEY = NEW
    with pytest.raises(CommandError, match="secrets cannot be read"):
        rotate()
    assert stored("collection_stripeaccount") + stored("otp_totp_totpdevice") == before
    with pytest.raises(SecretUnreadable):
        decrypt_secret(StripeAccount.objects.get().api_key)


def test_every_encrypted_column_is_registered(plain: Vendor) -> None:
    """What looks encrypted, in any column of any table, is found by the command; and every registered column exists."""
    known = set()
    for one in encrypted_columns():
        model = apps.get_model(one.model)
        known.add((model._meta.db_table, model._meta.get_field(one.field).column))
    found = set()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' "
            "AND data_type IN ('bytea', 'text', 'character varying', 'jsonb')"
        )
        for table, column, kind in cursor.fetchall():
            text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(f"SELECT 1 FROM \"{table}\" WHERE {text} LIKE '%%gAAAAA%%' LIMIT 1")
            if cursor.fetchone():
                found.add((table, column))
    assert {name for name in known if name[0] != "otp_totp_totpdevice"} == found


def test_nothing_is_encrypted_for_a_purpose_without_a_column() -> None:
    with pytest.raises(LookupError, match="No column is registered"):
        encrypt("secret", purpose="a new feature")


def test_second_factors_are_not_readable_in_the_database(plain: Vendor) -> None:
    device = TOTPDevice.objects.get()
    [[row]] = stored("otp_totp_totpdevice")
    assert device.key not in str(row)
    codes = ["abcde-fghjk"]
    StaticToken.objects.all().delete()
    static = StaticDevice.objects.get()
    StaticToken.objects.create(device=static, token=hash_recovery_code(codes[0], device_id=static.pk))
    assert "abcde" not in str(stored("otp_static_statictoken"))
    browser = plain.client.__class__()
    sign_in(browser, plain.user.email, PASSWORD)
    assert browser.post("/sign-in/code", {"code": StaticToken.objects.get().token}).status_code == 422
    TOTPDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    StaticDevice.objects.update(throttling_failure_timestamp=None, throttling_failure_count=0)
    assert browser.post("/sign-in/code", {"code": codes[0]}).status_code == 302
