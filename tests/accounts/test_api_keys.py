from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from accounts.facade import (
    OrganizationExists,
    api_key_with,
    create_api_key,
    create_organization,
    get_organization,
    only_organization,
    revoke_api_key,
)
from accounts.models import ApiKey, AuditEntry
from kernel.errors import InvalidError, NotFoundError

pytestmark = pytest.mark.django_db


def test_a_key_opens_by_its_secret_which_is_not_kept() -> None:
    organization = create_organization(name="Vendor")
    key, secret = create_api_key(organization=organization, scopes=["read", "ingest"])
    assert api_key_with(secret) == key
    assert key.scopes == ["ingest", "read"]
    assert secret not in str(ApiKey.objects.values().get())
    assert key.id.startswith("key_")


def test_a_revoked_key_opens_nothing() -> None:
    key, secret = create_api_key(organization=create_organization(name="Vendor"), scopes=["read"])
    revoke_api_key(key=key, at=datetime(2026, 10, 1, tzinfo=UTC))
    revoke_api_key(key=key, at=datetime(2026, 11, 1, tzinfo=UTC))
    assert api_key_with(secret) is None
    assert ApiKey.objects.get().revoked_at == datetime(2026, 10, 1, tzinfo=UTC)


@pytest.mark.parametrize("scopes", [[], ["root"], ["read", "everything"]])
def test_a_key_needs_known_scopes(scopes: list[str]) -> None:
    with pytest.raises(InvalidError) as caught:
        create_api_key(organization=create_organization(name="Vendor"), scopes=scopes)
    assert caught.value.code == "scope_unknown"


def test_organizations_are_found_by_key_and_id_and_keys_are_unique() -> None:
    organization = create_organization(name="Acme Agents")
    assert organization.key == "acme-agents"
    assert get_organization("acme-agents") == get_organization(organization.public_id) == organization
    with pytest.raises(OrganizationExists):
        create_organization(name="Acme agents")
    with pytest.raises(InvalidError):
        create_organization(name="  ")
    with pytest.raises(NotFoundError):
        get_organization("nobody")
    assert only_organization() == organization
    create_organization(name="Second")
    with pytest.raises(NotFoundError, match="several"):
        only_organization()


def test_the_command_prints_the_key_and_nothing_else() -> None:
    organization = create_organization(name="Vendor")
    out = StringIO()
    call_command("create_api_key", organization="vendor", scope=["admin"], stdout=out)
    found = api_key_with(out.getvalue().strip())
    assert out.getvalue().count("\n") == 1
    assert found is not None
    assert (found.organization, found.scopes) == (organization, ["admin"])
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.target) == ("api_key.create", "command line", found.pk)
    with pytest.raises(CommandError, match="no organization"):
        call_command("create_api_key", organization="nobody", scope=["read"])
