"""The audit trail: who did what to which thing, and what it was like before and after."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from decimal import Decimal
from typing import Any

from django.db.models import Model

from accounts.models import AuditEntry

#: Acts where no person and no key does: schedules and commands.
SYSTEM = "system"

_acting: ContextVar[str] = ContextVar("acting", default=SYSTEM)


def act_as(actor: str) -> None:
    """From now on, in this request, `actor` (an e-mail address, a key's hint) is who does what is recorded.

    Known at the edge alone: where an API key is read, or a page finds who is signed in.
    """
    _acting.set(actor)


def acting() -> str:
    """Who acts at present."""
    return _acting.get()


def record_audit(*, organization_id: int, action: str, target: str, actor: str | None = None, **detail: Any) -> None:
    """Write down that `actor`, or else who acts at present, did `action` to `target`."""
    AuditEntry.objects.create(
        organization_id=organization_id,
        actor=(actor or acting())[:254],
        action=action,
        target=str(target)[:200],
        detail=_plain(detail),
    )


def record_change(
    *,
    organization_id: int,
    action: str,
    target: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    actor: str | None = None,
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
