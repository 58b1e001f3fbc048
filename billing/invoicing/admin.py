"""Admin of invoices, lines and runs."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from billing.customers.presenters import money
from billing.fields import RunStatus
from billing.invoicing.drafts import finalize_invoice
from billing.invoicing.models import InvoiceStatus
from billing.models import (
    BillingPolicy,
    BillingRun,
    BillingRunBatch,
    EmptyBill,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    LateUsage,
    LateUsageMark,
    OneOffCharge,
    OpenRevenue,
    OpenRevenueReader,
)
from billing.tasks import work_run
from billing.test_clocks.queries import clock_of
from kernel.errors import TaximeterError
from rest.admin import OperatorAdmin, ReadOnlyAdmin, ReadOnlyInline


class InvoiceLineInline(ReadOnlyInline):
    model = InvoiceLine
    fields = ("description", "kind", "quantity", "unit_amount", "line_amount", "line_tax", "events_behind")
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("invoice")

    @admin.display(description="Amount")
    def line_amount(self, line: InvoiceLine) -> str:
        return _amount(line.amount, line.invoice.currency)

    @admin.display(description="Tax")
    def line_tax(self, line: InvoiceLine) -> str:
        return _amount(line.tax, line.invoice.currency)

    @admin.display(description="Events")
    def events_behind(self, line: InvoiceLine) -> str:
        return _events_link(line)


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "customer", "organization", "month", "amount", "status", "finalized_at")
    list_filter = ("status", "organization")
    list_select_related = ("customer", "organization")
    search_fields = ("=number", "=id", "=customer__key", "=month")
    search_help_text = "A number, an id, a customer's key or a month, exactly"
    ordering = ("-id",)
    inlines = (InvoiceLineInline,)
    actions = ("finalize",)

    @admin.action(description="Finalize the chosen drafts")
    def finalize(self, request: HttpRequest, queryset: QuerySet[Invoice]) -> None:
        actor, done = request.user.get_username(), 0
        for invoice in queryset.filter(status=InvoiceStatus.DRAFT).order_by("id"):
            try:
                finalize_invoice(invoice=invoice, now=clock_of(invoice.customer)(), actor=actor)
                done += 1
            except TaximeterError as error:
                self.message_user(request, f"{invoice}: {error.detail}", messages.WARNING)
        self.message_user(request, f"{done} drafts are final.", messages.SUCCESS)

    @admin.display(description="Total", ordering="total")
    def amount(self, invoice: Invoice) -> str:
        return _amount(invoice.total, invoice.currency)


@admin.register(InvoiceLine)
class InvoiceLineAdmin(ReadOnlyAdmin):
    list_display = ("description", "invoice", "kind", "quantity", "amount_due", "events_behind")
    list_filter = ("kind",)
    list_select_related = ("invoice",)
    search_fields = ("=id", "=invoice__number")
    ordering = ("-id",)
    readonly_fields = ("events_behind",)

    @admin.display(description="Amount")
    def amount_due(self, line: InvoiceLine) -> str:
        return _amount(line.amount, line.invoice.currency)

    @admin.display(description="Events")
    def events_behind(self, line: InvoiceLine) -> str:
        return _events_link(line)


@admin.register(InvoiceCounter)
class InvoiceCounterAdmin(ReadOnlyAdmin):
    list_display = ("organization", "last")
    list_select_related = ("organization",)
    ordering = ("organization_id",)


@admin.register(EmptyBill)
class EmptyBillAdmin(ReadOnlyAdmin):
    list_display = ("subscription", "kind", "period_start", "created_at")
    list_filter = ("kind",)
    list_select_related = ("subscription__customer", "subscription__plan_version__plan")
    search_fields = ("=subscription__id", "=subscription__customer__key")
    ordering = ("-id",)


@admin.register(BillingRun)
class BillingRunAdmin(ReadOnlyAdmin):
    list_display = ("month", "organization", "status", "done", "total", "invoices", "created_at", "finished_at")
    list_filter = ("status", "organization")
    list_select_related = ("organization",)
    search_fields = ("=id", "=month")
    ordering = ("-id",)
    actions = ("work",)

    @admin.action(description="Go on with the chosen runs that are not finished")
    def work(self, request: HttpRequest, queryset: QuerySet[BillingRun]) -> None:
        open_runs = queryset.filter(status__in=[RunStatus.QUEUED, RunStatus.RUNNING])
        for run_id in (found := list(open_runs.values_list("pk", flat=True))):
            work_run.delay(run_id=run_id)
        self.message_user(request, f"{len(found)} runs go on.", messages.SUCCESS)


@admin.register(BillingRunBatch)
class BillingRunBatchAdmin(ReadOnlyAdmin):
    list_display = ("run", "position", "done", "invoices")
    list_select_related = ("run",)
    search_fields = ("=run__id",)
    ordering = ("-id",)


@admin.register(BillingPolicy)
class BillingPolicyAdmin(OperatorAdmin):
    list_display = ("organization", "grace_hours", "payment_days", "late_usage", "zero_amount", "tax_rounding")
    list_select_related = ("organization",)
    ordering = ("organization_id",)


@admin.register(LateUsage)
class LateUsageAdmin(ReadOnlyAdmin):
    list_display = ("line", "organization", "quantity", "amount", "resolution", "found_at", "resolved_at")
    list_filter = ("resolution", "organization")
    list_select_related = ("line", "organization")
    search_fields = ("=id", "=line__invoice__number")
    ordering = ("-id",)


@admin.register(LateUsageMark)
class LateUsageMarkAdmin(ReadOnlyAdmin):
    list_display = ("organization", "log_snapshot")
    list_select_related = ("organization",)
    ordering = ("organization_id",)


@admin.register(OneOffCharge)
class OneOffChargeAdmin(ReadOnlyAdmin):
    list_display = ("description", "customer", "organization", "quantity", "unit_amount", "currency", "created_at")
    list_filter = ("organization",)
    list_select_related = ("customer", "organization")
    search_fields = ("=id", "=customer__key")
    ordering = ("-id",)


def _amount(amount: Any, currency: str) -> str:
    return f"{money(amount, currency)} {currency}"


def _events_link(line: InvoiceLine) -> str:
    """How many events a usage line counted, with the way to them in the console."""
    if line.meter_version_id is None:
        return "-"
    try:
        address = reverse("console:line_events", args=[line.invoice_id, line.pk])
    except NoReverseMatch:
        return str(line.events)
    return format_html('<a class="text-primary-600" href="{}">{}</a>', address, f"{line.events:,}")


@admin.register(OpenRevenue)
class OpenRevenueAdmin(ReadOnlyAdmin):
    """Made from usage and prices: nothing here needs repair."""

    list_display = ("subscription", "organization", "currency", "is_stale", "priced_at")
    list_filter = ("is_stale", "organization")
    list_select_related = ("subscription__customer", "subscription__plan_version__plan", "organization")
    search_fields = ("=subscription__id", "=subscription__customer__key")
    ordering = ("-subscription_id",)


@admin.register(OpenRevenueReader)
class OpenRevenueReaderAdmin(ReadOnlyAdmin):
    list_display = ("organization", "snapshot")
    list_select_related = ("organization",)
    ordering = ("organization_id",)
