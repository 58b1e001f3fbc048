from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from accounts.models import Organization, User
from kernel.errors import ConflictError, InvalidError
from kernel.text import require_text


class OrganizationExists(ConflictError):
    code = "organization_exists"


def create_organization(*, name: str, key: str | None = None) -> Organization:
    """A new organization. Its key is made from its name unless given; a taken one is a `ConflictError`."""
    name = name.strip()
    key = key or slugify(name)
    require_text(name, field="name")
    require_text(key, field="key")
    if not name or not key or len(name) > 200:
        raise InvalidError("An organization needs a name with a letter or a digit in it, of at most 200 characters")
    try:
        with transaction.atomic():
            return Organization.objects.create(name=name, key=key[:128])
    except IntegrityError:
        raise OrganizationExists(f"There is an organization with the key {key!r} already") from None


def create_user(*, email: str, password: str | None, name: str = "", is_superuser: bool = False) -> User:
    """A person who may sign in with `email` and `password`, or without one by a provider alone.

    Raises `ConflictError` for a taken address.
    """
    require_text(name, field="name")
    first, _, last = name.partition(" ")
    try:
        with transaction.atomic():
            return User.objects.create_user(
                email, password, first_name=first, last_name=last, is_staff=is_superuser, is_superuser=is_superuser
            )
    except IntegrityError:
        raise ConflictError(f"There is a user {email} already", code="user_exists") from None
