"""The audit trail: who did what to which thing, and what it was like before and after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model

from accounts.models import AuditEntry, KeyPurpose
from accounts.services.sealing import sealer

#: Acts where no person and no key does: schedules and commands.
SYSTEM = "system"

#: Names of details that can hold personal values. In entries about a customer they are encrypted under its key.
PERSONAL_NAMES = frozenset(
    [
        "address", "customer_name", "description", "email", "goal", "input", "metadata", "name", "note", "reason",
        "recipients", "reference", "tax_id", "text", "thresholds", "to",
    ]
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Acting:
    """The present actor: an e-mail address, a key's hint, or the system, and by which key and address they came."""

    actor: str = SYSTEM
    sender: str = SYSTEM
    api_key: str | None = None
    address: str | None = None
    organization_id: int | None = None


_acting: ContextVar[Acting] = ContextVar("acting", default=Acting())  # noqa: B039 - frozen


def begin_acting(*, address: str | None) -> None:
    """A request from `address` begins: nobody is known to act yet."""
    _acting.set(Acting(address=address))


def end_acting() -> None:
    """A request has ended: what its thread does next is the system's."""
    _acting.set(Acting())


def act_as(
    actor: str, *, api_key: str | None = None, user_id: int | None = None, organization_id: int | None = None
) -> None:
    """From now on, in this request, `actor` (an e-mail address, a key's hint) is the one whose acts are recorded.

    Known at the edge alone: where an API key is read (`api_key`, its id), or a page finds who is signed in (`user_id`).
    `organization_id` is that of what they look at.
    """
    sender = api_key or (f"user:{user_id}" if user_id else SYSTEM)
    _acting.set(replace(_acting.get(), actor=actor, sender=sender, api_key=api_key, organization_id=organization_id))


def acting() -> str:
    """The present actor."""
    return _acting.get().actor


def sender() -> str:
    """The present actor as the event log names it: an API key's id, `user:` and a person's number, or `system`."""
    return _acting.get().sender


def record_download(*, target: str, file: str) -> None:
    """Write down that the present actor fetches a file about `target` of the organization they look at."""
    if (organization_id := _acting.get().organization_id) is not None:
        record_audit(organization_id=organization_id, action="file.download", target=target, file=file)


def record_audit(
    *,
    organization_id: int | None,
    action: str,
    target: str,
    actor: str | None = None,
    about: str | None = None,
    **detail: Any,
) -> None:
    """Write down that `actor`, or else the present one, did `action` to `target`, by which key and from where.

    `about` is the id or key of the customer that the entry is about, where `target` is not its id: the personal values
    in `detail` (`PERSONAL_NAMES`) are encrypted under that customer's key, so that erasing it reaches them.
    """
    about = about or (str(target) if str(target).startswith("cus_") else None)
    now = _acting.get()
    AuditEntry.objects.create(
        organization_id=organization_id,
        actor=(actor or now.actor)[:254],
        action=action,
        target=str(target)[:200],
        detail=seal_personal(_plain(detail), organization_id=organization_id, customer=about),
        api_key=now.api_key,
        address=now.address,
    )


def seal_personal(detail: dict[str, Any], *, organization_id: int | None, customer: str | None) -> dict[str, Any]:
    """`detail` with its personal values encrypted under the customer's key, where there is a customer."""
    names = _personal(detail)
    if customer is None or organization_id is None or not names:
        return detail
    seal = sealer(organization_id=organization_id, purpose=KeyPurpose.PERSONAL, holder=customer)

    def sealed(part: dict[str, Any]) -> dict[str, Any]:
        return {
            name: seal(_as_json(value))
            if name in PERSONAL_NAMES and value not in _EMPTY
            else sealed(value)
            if name in _CHANGES and isinstance(value, dict)
            else value
            for name, value in part.items()
        }

    return sealed(detail)


#: Where `record_change` keeps what differs; and what needs no hiding.
_CHANGES = ("before", "after")
_EMPTY: tuple[Any, ...] = (None, "", [], {})


def _personal(detail: dict[str, Any]) -> bool:
    parts = [detail, *(detail[name] for name in _CHANGES if isinstance(detail.get(name), dict))]
    return any(name in PERSONAL_NAMES and value not in _EMPTY for part in parts for name, value in part.items())


def _as_json(value: Any) -> Any:
    """`value` as the column would have kept it."""
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))


def record_change(
    *,
    organization_id: int,
    action: str,
    target: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    actor: str | None = None,
    about: str | None = None,
    **detail: Any,
) -> None:
    """The same with what differs between `before` and `after`; nothing is written where nothing does."""
    old, new = _plain(dict(before)), _plain(dict(after))
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if names:
        record_audit(
            organization_id=organization_id,
            actor=actor,
            action=action,
            target=target,
            about=about,
            before={name: old.get(name) for name in names},
            after={name: new.get(name) for name in names},
            **detail,
        )


def _plain(value: Any) -> Any:
    """`value` as JSON keeps it: decimals as text without needless zeros, and things by their ids."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(part) for part in value]
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, Model):
        return str(value.pk)
    return value
