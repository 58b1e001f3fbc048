from __future__ import annotations

from django.conf import settings

from accounts.facade import Organization, only_organization
from kernel.errors import ForbiddenError, NotFoundError


def is_operator(organization: Organization) -> bool:
    """Whether `organization` runs this installation: it is the one that `TAXIMETER_OPERATOR_ORGANIZATION` names, or
    the only one there is."""
    named = settings.OPERATOR_ORGANIZATION
    if named:
        return named in {organization.key, organization.public_id}
    try:
        return only_organization() == organization
    except NotFoundError:
        return False


def require_operator(organization: Organization) -> None:
    """Raises `ForbiddenError` unless `organization` runs this installation: the engine and its models are shared
    by all."""
    if is_operator(organization):
        return
    raise ForbiddenError(
        "The engine and its models are for the organization that runs this installation "
        "(TAXIMETER_OPERATOR_ORGANIZATION)",
        code="operators_only",
    )
