"""How an organization collects, and its account at Stripe."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction

from accounts.facade import record_audit
from billing.facade import invoices_of
from collection.models import CollectionPolicy, PayingCustomer, ProviderCall, StripeAccount
from collection.models.calls import OPEN_STATES
from collection.providers.contract import ProviderUnavailable, TryAgain
from collection.providers.stripe_client import Refused
from collection.providers.stripe_objects import check_key, knows_customer
from collection.queries.accounts import customer_known_to_stripe, policy_of, stripe_account_of, terms_of
from collection.services.dunning import open_collections, restep_open
from collection.services.links import forget_whether_pages_are_offered
from collection.services.secrets import decrypt_secret, encrypt_secret
from kernel.errors import ConflictError, InvalidError

_BATCH = 500
T = TypeVar("T")


class CallsOpen(ConflictError):
    code = "provider_calls_open"


class StripeKeyInvalid(InvalidError):
    code = "stripe_key_invalid"


class StripeAccountDiffers(ConflictError):
    """The key is of an account that does not know the organization's customers."""

    code = "stripe_account_differs"


def change_policy(*, organization_id: int, now: datetime, actor: str = "system", **fields: Any) -> CollectionPolicy:
    """Change some of an organization's choices (the model's fields). What is open is collected by them from now on."""
    with transaction.atomic():
        CollectionPolicy.objects.update_or_create(organization_id=organization_id, defaults=fields)
        policy = policy_of(organization_id)
        record_audit(
            organization_id=organization_id, actor=actor, action="collection_policy.change", target="", **fields
        )
        if policy.is_active:
            restep_open(organization_id=organization_id, terms=terms_of(policy))
    forget_whether_pages_are_offered(organization_id)
    if policy.is_active:
        collect_open_invoices(policy=policy, now=now)
    return policy


def collect_open_invoices(*, policy: CollectionPolicy, now: datetime) -> int:
    """Begin to collect what was finalized before the organization collected, or missed since; answers how many."""
    rows = invoices_of(policy.organization_id, status="finalized").filter(
        amount_due__gt=0, invoicecollection=None, customer__test_clock=None
    )
    ids, made = list(rows.order_by("pk").values_list("pk", flat=True)), 0
    for start in range(0, len(ids), _BATCH):
        with transaction.atomic():
            some = rows.filter(pk__in=ids[start : start + _BATCH]).select_for_update(of=("self",), skip_locked=True)
            made += open_collections(policy=policy, invoices=list(some.order_by("pk")), now=now)
    return made


def connect_stripe(
    *,
    organization_id: int,
    api_key: str,
    now: datetime,
    webhook_secret: str | None = None,
    is_another_account: bool = False,
    actor: str = "system",
) -> StripeAccount:
    """Keep an organization's key for Stripe, encrypted, once Stripe has taken it. Outside of a transaction.

    Customers and cards belong to an account and its mode. With another mode, and where `is_another_account`, they are
    forgotten. Raises `StripeKeyInvalid`, `StripeAccountDiffers` for a key of another account where that was not said,
    `CallsOpen`, and `ProviderUnavailable` where Stripe does not answer.
    """
    if not api_key.startswith(("sk_test_", "rk_test_", "sk_live_", "rk_live_")):
        raise StripeKeyInvalid("A secret key of Stripe begins with sk_test_, rk_test_, sk_live_ or rk_live_")
    _check(api_key)
    if not is_another_account:
        _check_account(organization_id, api_key)
    fields: dict[str, Any] = {
        "api_key": encrypt_secret(api_key),
        "key_hint": f"{api_key[:8]}…{api_key[-4:]}",
        "is_live": _is_live(api_key),
    }
    if webhook_secret is not None:
        fields["webhook_secret"] = encrypt_secret(webhook_secret)
    return _store(organization_id, fields, now, actor, is_another_account=is_another_account)


def check_stripe(*, organization_id: int) -> None:
    """Whether Stripe still takes the organization's key. Outside of a transaction.

    Raises `StripeAccountMissing`, `StripeKeyInvalid`, `ProviderUnavailable`, `SecretUnreadable`.
    """
    _check(decrypt_secret(stripe_account_of(organization_id).api_key))


def _check(api_key: str) -> None:
    _asked(lambda: check_key(api_key))


def _check_account(organization_id: int, api_key: str) -> None:
    """Whether this is a key of the account that customers are known by, where any are and its mode stays."""
    account = StripeAccount.objects.filter(organization_id=organization_id).first()
    if account is not None and account.is_live != _is_live(api_key):
        return
    known = customer_known_to_stripe(organization_id)
    if known is not None and not _asked(lambda: knows_customer(api_key, known)):
        raise StripeAccountDiffers(
            "This key is of another Stripe account than the customers and cards that are known here. Take a key of "
            "theirs, or say that it is of another account (is_another_account): customers then give their cards anew"
        )


def _asked(question: Callable[[], T]) -> T:
    """What Stripe answers to a question about a key."""
    try:
        return question()
    except Refused as error:
        raise StripeKeyInvalid(f"Stripe does not take this key: {error.detail}") from None
    except TryAgain as error:
        if error.code == "key_refused":
            raise StripeKeyInvalid(f"Stripe does not take this key: {error.detail}") from None
        raise ProviderUnavailable(f"Stripe did not answer: {error.detail}") from None


def set_webhook_secret(*, organization_id: int, webhook_secret: str, now: datetime, actor: str) -> StripeAccount:
    """What Stripe shows once the endpoint is made there; the account is there before."""
    return _store(organization_id, {"webhook_secret": encrypt_secret(webhook_secret)}, now, actor)


def _is_live(api_key: str) -> bool:
    return api_key[3:7] == "live"


def _store(
    organization_id: int, fields: dict[str, Any], now: datetime, actor: str, *, is_another_account: bool = False
) -> StripeAccount:
    with transaction.atomic():
        before = StripeAccount.objects.select_for_update().filter(organization_id=organization_id).first()
        if is_another_account or (before is not None and fields.get("is_live", before.is_live) != before.is_live):
            _leave_account(organization_id)
        account, _ = StripeAccount.objects.update_or_create(
            organization_id=organization_id, defaults=fields, create_defaults={**fields, "created_at": now}
        )
        record_audit(
            organization_id=organization_id,
            actor=actor,
            action="stripe_account.change",
            target=account.key_hint,
            changed=sorted(fields),
        )
    forget_whether_pages_are_offered(organization_id)
    return account


def _leave_account(organization_id: int) -> None:
    """Customers and cards of an account are in no other one, and those of test mode not in live mode."""
    if ProviderCall.objects.filter(organization_id=organization_id, state__in=OPEN_STATES).exists():
        raise CallsOpen("Calls to Stripe are under way: change its account or mode once they have an end")
    known = PayingCustomer.objects.filter(organization_id=organization_id)
    known.update(stripe_customer="", payment_method="", payment_method_hint="", deleted_at_provider=None)


def disconnect_stripe(*, organization_id: int, actor: str = "system") -> None:
    """Forget the key. Calls that are open wait until there is one again."""
    with transaction.atomic():
        StripeAccount.objects.filter(organization_id=organization_id).delete()
        record_audit(organization_id=organization_id, actor=actor, action="stripe_account.remove", target="")
    forget_whether_pages_are_offered(organization_id)
