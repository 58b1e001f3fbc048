"""Organizations, the people in them, their API keys and the audit trail."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.contrib.auth.password_validation import validate_password
from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac

from accounts.domain.bounds import present_role, weakest
from accounts.sealed_factors import FACTORS
from kernel.ids import new_id
from rest.access import Permission, key_has
from rest.encryption import register_encrypted


def _organization_id() -> str:
    return new_id("org")


def _api_key_id() -> str:
    return new_id("key")


def _audit_id() -> str:
    return new_id("aud")


def _session_id() -> str:
    return new_id("ses")


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
        """For `createsuperuser`, which asks for no strong password itself where it is not interactive.

        Raises Django's `ValidationError`, which the command shows.
        """
        if password is not None:
            validate_password(password, self.model(email=email, **fields))
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


class Session(models.Model):
    """A session of the console, of a signed-in person or of a visitor. `accounts.sessions` reads and writes it.

    `session_data` is signed by Django. `address` and `user_agent` are those of the last use, and let the person tell
    their sessions apart.
    """

    key_hash = models.CharField(max_length=64, primary_key=True, editable=False)
    public_id = models.CharField(max_length=30, unique=True, default=_session_id, editable=False)
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")
    session_data = models.TextField()
    signed_in_at = models.DateTimeField(null=True)
    #: To within a minute, and not by pages that refresh themselves.
    last_seen_at = models.DateTimeField()
    expire_date = models.DateTimeField(db_index=True)
    address = models.CharField(max_length=64, null=True)
    user_agent = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.public_id

    @classmethod
    def working(cls, now: datetime) -> models.QuerySet[Session]:
        """Sessions that are neither over nor idle for too long at `now`."""
        idle = timedelta(seconds=settings.SESSION_IDLE_SECONDS)
        return cls.objects.filter(expire_date__gt=now, last_seen_at__gt=now - idle)

    @classmethod
    def delete_expired(cls, now: datetime) -> int:
        """Delete what `working` never finds again; how many there were."""
        idle = timedelta(seconds=settings.SESSION_IDLE_SECONDS)
        return cls.objects.filter(Q(expire_date__lte=now) | Q(last_seen_at__lte=now - idle)).delete()[0]


class Role(models.TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    FINANCE = "finance"
    DEVELOPER = "developer"
    VIEWER = "viewer"


class SignInProvider(models.Model):
    """The OpenID Connect provider by which an organization's members sign in; its owners enter it.

    `roles` gives a role to each value of the claim `role_claim`; people with none of them are refused. The client's
    secret is kept encrypted (`services.sign_in_providers`), and is empty for a public client.
    """

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="sign_in_provider"
    )
    issuer = models.CharField(max_length=500)
    client_id = models.CharField(max_length=255)
    client_secret = models.BinaryField(default=bytes, blank=True)
    role_claim = models.CharField(max_length=100, default="groups")
    roles = models.JSONField(default=dict)
    #: Whether members other than owners see the organization only after signing in by it.
    is_required = models.BooleanField(default=False)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.issuer


class SignInIdentity(models.Model):
    """A person as a provider knows them. An e-mail address alone leads to no account: providers may say any."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_in_identities")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()

    class Meta:
        verbose_name = "sign-in identity"
        verbose_name_plural = "sign-in identities"
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "issuer", "subject"], name="one_person_per_subject_of_a_provider"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


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
    #: The same as `accounts.services.audit.sender` names it: the invitation works while they may give the role.
    sender = models.CharField(max_length=64, default="system")
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
    #: True where a member answers for the key. It ends with them: `maker` is None once they have left for good.
    #: False for a key of the operator of this machine, or of a customer.
    has_maker = models.BooleanField(default=False)
    maker = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="api_keys")
    #: The key that created this one, which ends with it.
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="children")
    #: Roles of earlier makers: the key may do no more than any of them.
    bounds = ArrayField(models.CharField(max_length=20), default=list, blank=True)
    #: True until a member has looked at it: it is older than makers' bounds, or its maker's role changed.
    needs_review = models.BooleanField(default=False)

    #: The maker's role in the organization, which queries add.
    membership_role: str | None = None

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name or 'API key'} {self.hint}"

    @property
    def maker_role(self) -> str | None:
        """Present role of the member who answers for the key; None where there is none, or they have no access."""
        if self.maker is None:
            return None
        return present_role(
            is_active=self.maker.is_active, is_superuser=self.maker.is_superuser, role=self.membership_role
        )

    @property
    def has_ended(self) -> bool:
        """True where its maker has left the organization or was deactivated."""
        return self.has_maker and self.maker_role is None

    def status(self, now: datetime) -> str:
        """`active`, `expired`, `ended` with its maker, or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        if self.has_ended:
            return "ended"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that bound the key besides its scopes; empty where nothing does."""
        role = self.maker_role
        return (*([] if role is None else [role]), *self.bounds)

    @property
    def acting_role(self) -> str:
        """The role as which the key acts on members and other keys."""
        return weakest(self.roles)

    @property
    def permissions(self) -> list[Permission]:
        """Permissions of the key at present, whether or not it is revoked or expired."""
        if self.has_ended:
            return []
        return [one for one in Permission if key_has(one, scopes=self.scopes, roles=self.roles)]


class AuditEntryQuerySet(models.QuerySet["AuditEntry"]):
    """Entries with their personal values decrypted, by one query for all that are read together."""

    def _fetch_all(self) -> None:
        is_read = self._result_cache is not None
        super()._fetch_all()
        if not is_read:
            _unseal_details(self._result_cache or [])

    def iterator(self, chunk_size: int | None = None) -> Iterator[Any]:
        rows = super().iterator(chunk_size=chunk_size or 2000)
        while read := list(islice(rows, chunk_size or 2000)):
            _unseal_details(read)
            yield from read


def _unseal_details(rows: list[Any]) -> None:
    from accounts.services.sealing import unseal  # noqa: PLC0415 - it is written with these models

    entries: dict[int, list[AuditEntry]] = {}
    for row in rows:
        if isinstance(row, AuditEntry) and "detail" in row.__dict__ and row.organization_id is not None:
            entries.setdefault(row.organization_id, []).append(row)
    for organization_id, some in entries.items():
        details = unseal([one.detail for one in some], organization_id=organization_id)
        for one, detail in zip(some, details, strict=True):
            one.detail = detail


class AuditEntry(models.Model):
    """An act: the actor, what they did to which thing, when, by which API key and from which address.

    Never changed, never deleted: a trigger sees to that. One without an organization is a sign-in that failed for
    an address that nobody here has. Personal values of a customer in `detail` are encrypted under its key
    (`accounts.services.audit`).
    """

    id = models.CharField(max_length=30, primary_key=True, default=_audit_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True)
    actor = models.CharField(max_length=254)
    action = models.CharField(max_length=100)
    target = models.CharField(max_length=200)
    detail = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    at = models.DateTimeField(auto_now_add=True)
    #: The id of the API key that acted; None where a person or the system did.
    api_key = models.CharField(max_length=30, null=True, blank=True)
    #: The client's address; None for tasks, commands and entries of old.
    address = models.GenericIPAddressField(null=True, blank=True)

    objects = AuditEntryQuerySet.as_manager()

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
    #: The same as `accounts.services.audit.sender` names it: the link opens while they may let customers in.
    sender = models.CharField(max_length=64, default="system")
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


class KeyPurpose(models.TextChoices):
    """The kinds of values that a customer's keys encrypt; each kind can be made unreadable by itself."""

    #: Values in the audit trail.
    PERSONAL = "personal"
    #: Personal fields of usage events. The holder is the subject of the events.
    EVENTS = "events"
    #: The buyer on issued documents, kept for as long as the law asks.
    DOCUMENTS = "documents"


class CustomerKey(models.Model):
    """A data key of one customer for one purpose, encrypted by the server's secret (`rest.encryption`).

    `holder` is the customer's id, or the subject of its events. Destroying a key empties `wrapped`: whatever it
    encrypted stays where it is and cannot be read again.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    holder = models.TextField()
    purpose = models.CharField(max_length=10, choices=KeyPurpose.choices)
    wrapped = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)
    destroyed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "holder", "purpose"],
                condition=Q(destroyed_at=None),
                name="one_customer_key_per_purpose",
            )
        ]

    def __str__(self) -> str:
        return f"{self.purpose} key of {self.holder}"


class PrivacyPolicy(models.Model):
    """How long an organization keeps what the law makes it keep of an erased customer, and which fields of its usage
    events are personal. Without a row: ten years, and none.

    `personal_fields` is `[{"event_type": "agent.turn" or "*", "path": "data.user_email"}]`.
    """

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, primary_key=True)
    retention_years = models.SmallIntegerField(default=10)
    personal_fields = models.JSONField(default=list)

    class Meta:
        verbose_name_plural = "privacy policies"

    def __str__(self) -> str:
        return f"{self.retention_years} years"


#: The purpose of the key that customers' keys are encrypted with.
WRAPPING = "customers' keys"
register_encrypted("accounts.CustomerKey", "wrapped", purpose=WRAPPING)
#: The purpose of the key that the secrets of sign-in providers' clients are encrypted with.
CLIENT_SECRETS = "sign-in providers"
register_encrypted("accounts.SignInProvider", "client_secret", purpose=CLIENT_SECRETS)
register_encrypted("otp_totp.TOTPDevice", "key", purpose=FACTORS, is_short=True)
