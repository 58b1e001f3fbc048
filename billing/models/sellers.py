"""Who bills: what an organization says of itself on its documents, and which of it stands on which invoice."""

from __future__ import annotations

from django.core.validators import RegexValidator
from django.db import models

from billing.models.invoices import Invoice
from kernel.ids import new_id


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


class InvoiceIdentity(models.Model):
    """Who billed whom, as it was when the invoice was finalized. Never changes (a trigger refuses it)."""

    invoice = models.OneToOneField(Invoice, on_delete=models.CASCADE, primary_key=True, related_name="identity")
    seller = models.ForeignKey(SellerProfile, on_delete=models.PROTECT)
    #: `name`, `email`, `address`, `tax_id` and `locale` of the customer.
    buyer = models.JSONField()

    class Meta:
        verbose_name_plural = "invoice identities"

    def __str__(self) -> str:
        return self.invoice_id
