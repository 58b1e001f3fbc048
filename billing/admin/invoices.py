from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from billing.api.present import money
from billing.models import (
    BillingPolicy,
    BillingRun,
    BillingRunBatch,
    Invoice,
    InvoiceCounter,
    InvoiceLine,
    LateUsage,
    LateUsageMark,
    OneOffCharge,
)
from billing.models.invoices import InvoiceStatus, RunStatus
from billing.queries.clocks import clock_of
from billing.services.drafts import finalize_invoice
from billing.tasks import work_run
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
    list_display = ("organization", "grace_hours", "payment_days", "late_usage", "zero_amount")
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
