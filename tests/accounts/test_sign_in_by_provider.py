"""Signing in by an organization's OpenID Connect provider: who gets in, in which role, and whom no trick lets in."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.facade import User, create_user, provider_of
from accounts.models import AuditEntry, Membership, SignInIdentity, SignInProvider
from accounts.services.sign_in_providers import save_provider
from kernel.clock import system_clock
from kernel.errors import InvalidError
from tests.accounts.open_id_fake import CLIENT_ID, CLIENT_SECRET, Provider, running
from tests.console.conftest import PASSWORD, Vendor, make_vendor, signed_in
from tests.console.test_members import confirmed, text
from tests.console.test_sign_in import sign_in

pytestmark = pytest.mark.django_db

ROLES = {"accounting": "finance", "engineers": "developer", "board": "admin"}


@pytest.fixture(name="provider", scope="module")
def _provider() -> Iterator[Provider]:
    with running() as provider:
        yield provider


@pytest.fixture(name="plain")
def _plain(provider: Provider) -> Vendor:
    provider.claims = {
        "sub": "ada-1", "email": "ada@northwind.example", "email_verified": True, "name": "Ada L",
        "groups": ["staff", "accounting"],
    }  # fmt: skip
    provider.changes, provider.signing, provider.metadata_changes, provider.is_down_at = {}, "right", {}, None
    vendor = make_vendor("Northwind")
    configure(vendor, provider)
    return vendor


def configure(vendor: Vendor, provider: Provider, **changes: Any) -> SignInProvider:
    fields: dict[str, Any] = {
        "issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "role_claim": "groups",
        "roles": ROLES, "is_required": False,
    }  # fmt: skip
    return save_provider(organization=vendor.organization, now=system_clock(), **(fields | changes))


def at_provider(address: str) -> str:
    """What the browser is sent back to, once the person has signed in at the provider."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request("GET", f"{parts.path}?{parts.query}")
    location = connection.getresponse().headers["Location"]
    assert location.startswith("http://127.0.0.1:8000/sign-in/answer?")
    return location.removeprefix("http://127.0.0.1:8000")


def by_provider(browser: Client, organization: str = "northwind") -> Any:
    begun = browser.get(f"/sign-in/with/{organization}?next=/invoices")
    return begun if begun.status_code != 302 else browser.get(at_provider(begun.url))


def role_of(email: str = "ada@northwind.example") -> str:
    return Membership.objects.get(user__email=email).role


def test_a_new_person_comes_in_with_the_role_of_their_claim(plain: Vendor, provider: Provider) -> None:
    browser = Client()
    answer = by_provider(browser)
    assert (answer.status_code, answer.url) == (302, "/invoices")
    assert browser.get("/invoices").status_code == 200
    assert role_of() == "finance"
    ada = User.objects.get(email="ada@northwind.example")
    assert (ada.first_name, ada.last_name, ada.has_usable_password()) == ("Ada", "L", False)
    # The same person later, with another address and other claims.
    provider.claims |= {"email": "ada@elsewhere.example", "groups": ["engineers"]}
    assert by_provider(Client()).url == "/invoices"
    assert role_of() == "developer"
    assert User.objects.filter(email__startswith="ada@").count() == 1
    provider.claims["groups"] = ["engineers", "board"]
    by_provider(Client())
    assert role_of() == "admin"


def test_the_request_carries_state_nonce_and_a_challenge(plain: Vendor) -> None:
    asked = [parse_qs(urlsplit(Client().get("/sign-in/with/northwind").url).query) for _ in range(2)]
    for one in asked:
        assert one["response_type"] == ["code"]
        assert one["code_challenge_method"] == ["S256"]
        assert one["redirect_uri"] == ["http://127.0.0.1:8000/sign-in/answer"]
    assert all(asked[0][name] != asked[1][name] for name in ("state", "nonce", "code_challenge"))


@pytest.mark.parametrize("signing", ["forged", "none", "public key as secret", "own key"])
def test_a_token_that_the_provider_did_not_sign_is_refused(plain: Vendor, provider: Provider, signing: str) -> None:
    provider.signing = signing
    assert by_provider(Client()).status_code == 403
    assert not User.objects.filter(email="ada@northwind.example").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"aud": "another client"},
        {"aud": ["another client", CLIENT_ID]},  # without the party it was issued to
        {"aud": [CLIENT_ID, "another client"], "azp": "another client"},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"iat": int(time.time()) + 3600},
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"email": None},
        {"email": "no address"},
        {"groups": ["staff"]},
        {"groups": None},
        {"groups": "board,accounting"},
        {"groups": {"accounting": True}},
    ],
)
def test_a_token_that_says_anything_else_is_refused(plain: Vendor, provider: Provider, changes: dict[str, Any]) -> None:
    provider.changes = changes
    answer = by_provider(Client())
    assert answer.status_code == 403
    assert "Sign-in refused" in text(answer)
    assert not User.objects.filter(email="ada@northwind.example").exists()
    assert not SignInIdentity.objects.exists()


def test_an_answer_works_once_and_only_in_the_browser_that_asked(plain: Vendor) -> None:
    victim, thief = Client(), Client()
    back = at_provider(thief.get("/sign-in/with/northwind").url)
    assert victim.get(back).status_code == 403  # nothing was begun here
    victim.get("/sign-in/with/northwind")
    assert victim.get(back).status_code == 403  # another state
    assert thief.get(back).status_code == 302
    assert thief.get(back).status_code == 403
    assert victim.get("/invoices").status_code == 302
    mixed = at_provider(thief.get("/sign-in/with/northwind").url).replace("iss=http", "iss=https")
    assert thief.get(mixed).status_code == 403


def test_an_address_with_an_account_is_not_taken_over(plain: Vendor, provider: Provider) -> None:
    ada = create_user(email="ada@northwind.example", password=PASSWORD)
    answer = by_provider(Client())
    assert answer.status_code == 403
    assert "has an account here already" in text(answer)
    assert not Membership.objects.filter(user=ada).exists()
    # Somebody else who is signed in gets no further.
    mallory = signed_in(create_user(email="mallory@example.com", password=PASSWORD))
    assert by_provider(mallory).status_code == 403
    # The owner of the account connects it.
    browser = signed_in(ada)
    assert by_provider(browser).status_code == 302
    assert by_provider(Client()).url == "/invoices"
    assert SignInIdentity.objects.get().user == ada


def test_another_organizations_provider_that_says_the_same_of_a_person_opens_nothing(
    plain: Vendor, provider: Provider
) -> None:
    by_provider(Client())
    with running() as evil:
        stranger = make_vendor("Southwind")
        configure(stranger, evil, roles={"accounting": "admin"})
        assert by_provider(Client(), "southwind").status_code == 403
        assert role_of() == "finance"
        assert SignInIdentity.objects.get().organization == plain.organization


def test_a_session_by_a_provider_sees_its_organization_alone(plain: Vendor, provider: Provider) -> None:
    stranger = make_vendor("Southwind")
    ada = create_user(email="ada@northwind.example", password=PASSWORD)
    Membership.objects.create(organization=stranger.organization, user=ada, role="owner")
    by_provider(signed_in(ada))
    browser = Client()
    assert by_provider(browser).status_code == 302
    assert "Southwind" not in text(browser.get("/members"))
    assert browser.post("/organization", {"organization": stranger.organization.public_id}).status_code == 404
    assert "Northwind" in text(browser.get("/members"))
    SignInProvider.objects.all().delete()
    assert browser.get("/members").status_code == 403  # and none, once the provider is removed


def test_operators_do_not_come_in_by_a_provider(plain: Vendor, provider: Provider) -> None:
    root = User.objects.create_superuser("ada@northwind.example", PASSWORD)
    assert by_provider(signed_in(root)).status_code == 403
    assert by_provider(Client()).status_code == 403


def test_the_last_owner_stays_and_no_one_becomes_owner(plain: Vendor, provider: Provider) -> None:
    provider.claims |= {"email": plain.user.email, "sub": "owner-1"}
    answer = by_provider(plain.client)
    assert answer.status_code == 403
    assert "last owner" in text(answer)
    assert role_of(plain.user.email) == "owner"
    with pytest.raises(InvalidError):
        configure(plain, provider, roles={"board": "owner"})
    second = create_user(email="second@northwind.example", password=PASSWORD)
    Membership.objects.create(organization=plain.organization, user=second, role="owner")
    assert by_provider(plain.client).status_code == 302
    assert role_of(plain.user.email) == "finance"
    entry = AuditEntry.objects.filter(action="member.change_role").get()
    assert entry.detail == {"before": {"role": "owner"}, "after": {"role": "finance"}}


@pytest.mark.parametrize("down", ["/.well-known/openid-configuration", "/token", "/keys"])
def test_a_provider_that_is_away_is_said_to_be(plain: Vendor, provider: Provider, down: str) -> None:
    provider.is_down_at = down
    answer = by_provider(Client())
    assert answer.status_code == 403
    assert "does not answer" in text(answer)


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "https://evil.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://169.254.169.254/token"},
        {"jwks_uri": "http://10.0.0.1/keys"},
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": None},
    ],
)
def test_a_provider_leads_nowhere_else(plain: Vendor, provider: Provider, changes: dict[str, Any]) -> None:
    provider.metadata_changes = changes
    browser = Client()
    begun = browser.get("/sign-in/with/northwind")
    answer = begun if begun.status_code != 302 else browser.get(at_provider(begun.url))
    assert answer.status_code in {403, 422}
    assert "http" not in answer.headers.get("Location", "")


@pytest.mark.parametrize(
    "issuer",
    ["http://10.0.0.1", "https://169.254.169.254", "https://[3fff::1]", "https://2130706433", "ftp://x.example"],
)
def test_an_issuer_inside_is_refused(plain: Vendor, provider: Provider, issuer: str) -> None:
    with pytest.raises(InvalidError):
        configure(plain, provider, issuer=issuer)


def test_an_organization_may_require_it_of_all_but_owners(plain: Vendor, provider: Provider) -> None:
    viewer = plain.member("viewer")
    assert viewer.get("/").status_code == 200
    configure(plain, provider, is_required=True)
    assert viewer.get("/").url == "/sign-in/with/northwind"
    assert viewer.get("/security").status_code == 200  # to connect the account
    assert plain.client.get("/").status_code == 200
    browser = Client()
    by_provider(browser)
    assert browser.get("/").status_code == 200


def test_owners_enter_it_in_the_console_and_its_secret_is_shown_to_no_one(plain: Vendor, provider: Provider) -> None:
    assert plain.member("admin").get("/members/provider").status_code == 403
    confirmed(plain.client)
    page = text(plain.client.get("/members/provider"))
    assert CLIENT_SECRET not in page
    assert "http://127.0.0.1:8000/sign-in/answer" in page
    form = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": "", "role_claim": "groups"}
    answer = plain.client.post("/members/provider/change", form | {"roles": "board = chief"})
    assert answer.status_code == 422
    answer = plain.client.post(
        "/members/provider/change", form | {"roles": "cn=board,dc=x = viewer\n", "is_required": "1"}
    )
    assert answer.status_code == 302
    found = provider_of(plain.organization)
    assert found is not None
    assert found.roles == {"cn=board,dc=x": "viewer"}
    assert found.is_required
    assert CLIENT_SECRET.encode() not in bytes(found.client_secret)
    assert CLIENT_SECRET not in str(list(AuditEntry.objects.values_list("detail", flat=True)))
    plain.client.post("/members/provider/change", {"remove": "1"})
    assert provider_of(plain.organization) is None


def test_the_secret_is_not_told_to_another_issuer(plain: Vendor, provider: Provider) -> None:
    saved = configure(plain, provider, issuer="https://id.example.com", client_secret=None)
    assert bytes(saved.client_secret) == b""


def test_a_person_without_a_password_cannot_be_signed_in_by_one(plain: Vendor) -> None:
    by_provider(Client())
    for guess in ("", "!", "None"):
        assert sign_in(Client(), "ada@northwind.example", guess).status_code == 200


def test_an_organization_without_a_provider_says_so(plain: Vendor) -> None:
    make_vendor("Southwind")
    assert Client().get("/sign-in/with/southwind").status_code == 404
    assert Client().get("/sign-in/with/nobody").status_code == 404
    assert Client().get("/sign-in/with?organization=northwind").url == "/sign-in/with/northwind"
    assert Client().get("/sign-in/answer?state=x&code=y").status_code == 403
