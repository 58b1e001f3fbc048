"""What other rooms may use of accounts."""

from accounts.models import ApiKey, Organization, Role, User
from accounts.queries import api_key_with, get_organization, only_organization, organizations_of
from accounts.services.api_keys import create_api_key, revoke_api_key
from accounts.services.audit import record_audit
from accounts.services.organizations import OrganizationExists, add_member, create_organization, create_user

__all__ = [
    "ApiKey",
    "Organization",
    "OrganizationExists",
    "Role",
    "User",
    "add_member",
    "api_key_with",
    "create_api_key",
    "create_organization",
    "create_user",
    "get_organization",
    "only_organization",
    "organizations_of",
    "record_audit",
    "revoke_api_key",
]
