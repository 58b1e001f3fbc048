"""Organizations, the people in them, their API keys and the audit trail."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac

from kernel.ids import new_id


def _organization_id() -> str:
    return new_id("org")


def _api_key_id() -> str:
    return new_id("key")


def _audit_id() -> str:
    return new_id("aud")


def _invitation_id() -> str:
    return new_id("ivt")


def _portal_access_id() -> str:
    return new_id("pac")


class Organization(models.Model):
    """The tenant: a vendor that meters and bills. Its integer key keeps the event log's rows narrow."""

    public_id = models.CharField(max_length=30, unique=True, default=_organization_id, editable=False)
    key = models.CharField(max_length=128, unique=True)
    name = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    #: Whether its members see it only after a second factor.
    requires_two_factor = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class User(AbstractUser):
    """A person, who signs in by e-mail address. Each time `sessions_ended` grows, every session of theirs ends."""

    username = None  # type: ignore[assignment]
    email = models.EmailField("e-mail address", unique=True)
    sessions_ended = models.IntegerField(default=0, editable=False)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()  # type: ignore[assignment,misc]

    def _get_session_auth_hash(self, secret: Any = None) -> str:
        """What a session must know to go on: the password, and how often all sessions were ended."""
        salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
        ended = f":{self.sessions_ended}" if self.sessions_ended else ""
        return salted_hmac(salt, self.password + ended, secret=secret, algorithm="sha256").hexdigest()


class Role(models.TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    FINANCE = "finance"
    DEVELOPER = "developer"
    VIEWER = "viewer"


class Membership(models.Model):
    """A person's role in an organization."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="one_membership_per_person")]

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class Invitation(models.Model):
    """A link by which a person becomes a member. It works once, until `expires_at`; only its hash is kept."""

    id = models.CharField(max_length=30, primary_key=True, default=_invitation_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField("e-mail address")
    role = models.CharField(max_length=20, choices=Role.choices)
    invited_by = models.CharField(max_length=254)
    token_hash = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "email"],
                condition=Q(accepted_at=None, revoked_at=None),
                name="one_open_invitation_per_address",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"


class ApiKey(models.Model):
    """A key for programs. Only a hash of its secret is kept; `hint` lets people tell keys apart.

    One with a `customer` (the key that events name) sends that customer's events and does nothing else.
    """

    id = models.CharField(max_length=30, primary_key=True, default=_api_key_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=200, blank=True)
    secret_hash = models.BinaryField(max_length=32, unique=True)
    hint = models.CharField(max_length=20)
    scopes = ArrayField(models.CharField(max_length=20))
    created_at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    #: To within some minutes: `accounts.queries.USE_NOTED_EVERY`.
    last_used_at = models.DateTimeField(null=True, blank=True)
    customer = models.CharField(max_length=128, null=True, blank=True)
    created_by = models.CharField(max_length=254, blank=True)

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name or 'API key'} {self.hint}"


class AuditEntry(models.Model):
    """Who did what to which thing, and when. Never changed, never deleted."""

    id = models.CharField(max_length=30, primary_key=True, default=_audit_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    actor = models.CharField(max_length=254)
    action = models.CharField(max_length=100)
    target = models.CharField(max_length=200)
    detail = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "at"]),
            models.Index(fields=["organization", "id"], name="audit_by_organization"),
            models.Index(fields=["organization", "target", "id"], name="audit_by_target"),
        ]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action} {self.target}"


class PortalAccess(models.Model):
    """A customer's way into the portal: a link that works once until `expires_at`, and the session it became.

    `customer` is the customer's id. Of link and session only hashes are kept; `revoked_at` ends both.
    """

    id = models.CharField(max_length=30, primary_key=True, default=_portal_access_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    customer = models.CharField(max_length=30)
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    token_hash = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    session_hash = models.BinaryField(max_length=32, unique=True, null=True, editable=False)
    session_expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "customer"], name="portal_by_customer")]
        verbose_name_plural = "portal accesses"

    def __str__(self) -> str:
        return f"{self.customer} by {self.created_by}"


class Throttle(models.Model):
    """How often something was tried in vain, or asked for, since it last went well; `key` hashes what and by whom."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.IntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["last_at"], name="throttle_by_time")]

    def __str__(self) -> str:
        return f"{self.count} until {self.last_at}"
