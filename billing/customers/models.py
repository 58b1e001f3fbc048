"""Customers, sellers' profiles and an organization's billing policy."""

from __future__ import annotations

from decimal import Decimal

from django.core.validators import MaxValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from billing.rating.taxes import TaxRounding
from billing.test_clocks.models import TestClock
from kernel.ids import new_id
from rest.columns import ExactDecimalField


def customer_id() -> str:
    return new_id("cus")


class TaxTreatment(models.TextChoices):
    STANDARD = "standard"
    EXEMPT = "exempt"
    #: The customer owes the tax; the invoice says so and charges none.
    REVERSE_CHARGE = "reverse_charge"


class Customer(models.Model):
    """Who is billed. `key` is what events name in their `subject`, so it never changes."""

    id = models.CharField(max_length=30, primary_key=True, default=customer_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    key = models.CharField(max_length=128)
    name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    currency = models.CharField(max_length=3, default="USD")
    timezone = models.CharField(max_length=64, default="UTC")
    address = models.JSONField(default=dict, blank=True)
    tax_rate = ExactDecimalField(default=Decimal(0))
    tax_id = models.CharField(max_length=64, blank=True)
    tax_treatment = models.CharField(max_length=15, choices=TaxTreatment.choices, default=TaxTreatment.STANDARD)
    #: The language of this customer's documents; empty for the seller's.
    locale = models.CharField(max_length=12, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    test_clock = models.ForeignKey(TestClock, on_delete=models.PROTECT, null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    #: Its personal details were removed then; with `erased_at`, all that need not be kept as well.
    anonymized_at = models.DateTimeField(null=True, blank=True, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: The buyer on its documents becomes unreadable on this day.
    documents_until = models.DateField(null=True, blank=True, editable=False)
    #: The customer that its usage counts for since it was merged.
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, editable=False, related_name="merged"
    )
    merged_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organization", "key"], name="customer_key_unique")]
        indexes = [
            models.Index(
                fields=["documents_until"], condition=Q(documents_until__isnull=False), name="documents_to_destroy"
            )
        ]

    def __str__(self) -> str:
        return self.name


def seller_profile_id() -> str:
    return new_id("sel")


class LogoType(models.TextChoices):
    PNG = "image/png"
    SVG = "image/svg+xml"


class SellerLogo(models.Model):
    """A logo by what it is: the same picture is stored once. Checked before (`billing.documents.logos`)."""

    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    #: SHA-256 of the content, in hex.
    digest = models.CharField(max_length=64)
    media_type = models.CharField(max_length=20, choices=LogoType.choices)
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "digest"], name="seller_logo_unique")]

    def __str__(self) -> str:
        return self.digest[:12]


class SellerProfile(models.Model):
    """One version of what an organization says of itself. The newest counts for what is issued from now on.

    A row never changes (a trigger refuses it): invoices name the one they were issued with.
    """

    id = models.CharField(max_length=30, primary_key=True, default=seller_profile_id, editable=False)
    organization = models.ForeignKey("accounts.Organization", on_delete=models.CASCADE)
    version = models.IntegerField()
    legal_name = models.CharField(max_length=200)
    line1 = models.CharField(max_length=200, blank=True)
    line2 = models.CharField(max_length=200, blank=True)
    postal_code = models.CharField(max_length=30, blank=True)
    city = models.CharField(max_length=100, blank=True)
    region = models.CharField(max_length=100, blank=True)
    #: ISO 3166-1 alpha-2.
    country = models.CharField(max_length=2, blank=True)
    vat_id = models.CharField(max_length=20, blank=True)
    tax_number = models.CharField(max_length=40, blank=True)
    #: The number under which a public register knows the company.
    registration = models.CharField(max_length=100, blank=True)
    bank_name = models.CharField(max_length=100, blank=True)
    iban = models.CharField(max_length=34, blank=True)
    bic = models.CharField(max_length=11, blank=True)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)
    website = models.CharField(max_length=200, blank=True)
    #: Where an invoice can be paid; `{invoice}` and `{number}` in it are replaced.
    payment_url = models.CharField(max_length=500, blank=True)
    color = models.CharField(max_length=7, default="#1f4e79", validators=[RegexValidator(r"^#[0-9a-f]{6}\Z")])
    footer = models.TextField(max_length=1000, blank=True)
    #: The language of documents whose customer has none of its own.
    locale = models.CharField(max_length=12, default="en")
    logo = models.ForeignKey(SellerLogo, on_delete=models.PROTECT, null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "version"], name="seller_profile_version_unique")
        ]

    def __str__(self) -> str:
        return f"{self.legal_name} v{self.version}"


class LateUsagePolicy(models.TextChoices):
    #: The next invoice charges or gives back the difference.
    ADJUST = "adjust"
    #: The difference is reported, and nobody is charged for it.
    WRITE_OFF = "write_off"


class ZeroAmountPolicy(models.TextChoices):
    #: An invoice over nothing is issued like any other, and is paid at once.
    ISSUE = "issue"
    #: It is kept without a number, and not sent.
    SKIP = "skip"


class IssuePolicy(models.TextChoices):
    #: Invoices are issued when somebody closes the month.
    MONTH_CLOSE = "month_close"
    #: Each is issued by itself when it falls due; closing the month then finds what is left.
    WHEN_DUE = "when_due"


TAX_ROUNDINGS = [(one.value, one.value.capitalize()) for one in TaxRounding]


class BillingPolicy(models.Model):
    """An organization's choices. Without a row the defaults hold."""

    organization = models.OneToOneField("accounts.Organization", on_delete=models.CASCADE, primary_key=True)
    #: How long an invoice stays a draft after its period, while late events still count.
    grace_hours = models.PositiveSmallIntegerField(default=0, validators=[MaxValueValidator(24 * 60)])
    payment_days = models.PositiveSmallIntegerField(default=30, validators=[MaxValueValidator(365)])
    late_usage = models.CharField(max_length=10, choices=LateUsagePolicy.choices, default=LateUsagePolicy.ADJUST)
    zero_amount = models.CharField(max_length=10, choices=ZeroAmountPolicy.choices, default=ZeroAmountPolicy.ISSUE)

    issue = models.CharField(max_length=12, choices=IssuePolicy.choices, default=IssuePolicy.MONTH_CLOSE)
    tax_rounding = models.CharField(max_length=8, choices=TAX_ROUNDINGS, default=TaxRounding.DOCUMENT)

    class Meta:
        verbose_name_plural = "billing policies"

    def __str__(self) -> str:
        return f"billing policy of {self.organization_id}"
