"""API of invoices, drafts, runs and late usage."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.facade import record_audit
from billing.customers.queries import get_customer
from billing.invoicing import answers as invoicing_answers
from billing.invoicing import presenters as invoicing_presenters
from billing.invoicing.drafts import finalize_invoice, refresh_draft
from billing.invoicing.late_changes import unbilled_changes
from billing.invoicing.late_records import SETTLED, late_usage_of
from billing.invoicing.models import InvoiceStatus, LateUsageResolution
from billing.invoicing.queries import events_behind, get_invoice, get_line, invoices_of, runs_of
from billing.invoicing.runs import start_billing_run
from billing.tasks import work_run
from billing.test_clocks.queries import clock_of
from kernel.clock import system_clock
from kernel.errors import InvalidError
from kernel.period import Month
from metering.facade import EventAnswer, present_event
from rest.access import Permission
from rest.idempotency import idempotent
from rest.lookup import find
from rest.pagination import limit_of, page
from rest.schema import page_of
from rest.serializers import (
    StrictSerializer,
)


class RunInput(StrictSerializer):
    month = serializers.CharField(max_length=7)


def month_of(text: str) -> Month:
    """A month such as 2026-10; `InvalidError` with code `month_invalid` otherwise."""
    try:
        return Month.parse(text)
    except ValueError as error:
        raise InvalidError(str(error), code="month_invalid") from None


class InvoicesView(APIView):
    answers = {"GET": page_of(invoicing_answers.Invoice)}
    filters = ("customer", "status", "month")

    def get(self, request: Any) -> Response:
        parameters, organization_id = request.query_params, request.auth.organization_id
        status, month, customer = (parameters.get(name) for name in ("status", "month", "customer"))
        if status and status not in InvoiceStatus.values:
            raise InvalidError(f"status is one of {', '.join(InvoiceStatus.values)}", code="status_invalid")
        rows = invoices_of(
            organization_id,
            month=month_of(month) if month else None,
            customer=get_customer(organization_id=organization_id, customer=customer).key if customer else None,
            status=status or None,
        )
        return Response(page(rows, parameters, invoicing_presenters.invoice))


class InvoiceView(APIView):
    answers = {"GET": invoicing_answers.Invoice}

    def get(self, request: Any, invoice: str) -> Response:
        return Response(
            invoicing_presenters.invoice(get_invoice(organization_id=request.auth.organization_id, invoice=invoice))
        )


class DraftActionView(APIView):
    """`refresh` prices a draft anew; `finalize` does so and makes it final, whatever is left of its grace period."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": invoicing_answers.Invoice}

    @extend_schema(request=None)
    def post(self, request: Any, invoice: str, action: str) -> Response:
        found = get_invoice(organization_id=request.auth.organization_id, invoice=invoice)
        now = clock_of(found.customer)()
        if action == "finalize":
            finalize_invoice(invoice=found, now=now, actor=request.auth.hint)
        else:
            refresh_draft(invoice=found, now=now)
            record_audit(organization_id=found.organization_id, action="invoice.refresh", target=found.pk)
        return Response(
            invoicing_presenters.invoice(get_invoice(organization_id=request.auth.organization_id, invoice=found.pk))
        )


class LineEventsView(APIView):
    """The usage events behind a line."""

    answers = {"GET": page_of(EventAnswer)}

    def get(self, request: Any, invoice: str, line: str) -> Response:
        found = get_invoice(organization_id=request.auth.organization_id, invoice=invoice)
        events, following = events_behind(
            invoice=found,
            line=get_line(invoice=found, line=line),
            limit=limit_of(request.query_params),
            cursor=request.query_params.get("cursor"),
        )
        return Response({"data": [present_event(event) for event in events], "next_cursor": following})


class LateUsageView(APIView):
    """Lines whose usage has changed since the invoice was issued and is not billed; the invoice itself stays."""

    answers = {"GET": invoicing_answers.LateUsageList}

    def get(self, request: Any, invoice: str) -> Response:
        found = get_invoice(organization_id=request.auth.organization_id, invoice=invoice)
        changes = unbilled_changes(found.organization_id, [found]) if found.status in SETTLED else []
        changed = [change for change in changes if change.quantity or change.amount or change.problem]
        return Response({"data": [invoicing_presenters.unbilled_change(change, found.currency) for change in changed]})


class AllLateUsageView(APIView):
    """Late usage as it was found, and what became of it: adjusted, written off, without a price, or open."""

    answers = {"GET": page_of(invoicing_answers.LateUsage)}
    filters = ("resolution",)

    def get(self, request: Any) -> Response:
        rows = late_usage_of(request.auth.organization_id)
        if resolution := request.query_params.get("resolution"):
            if resolution not in LateUsageResolution.values:
                known = ", ".join(LateUsageResolution.values)
                raise InvalidError(f"resolution is one of {known}", code="resolution_invalid")
            rows = rows.filter(resolution=resolution)
        return Response(page(rows.order_by("id"), request.query_params, invoicing_presenters.late_usage))


class RunsView(APIView):
    required_permission = {"POST": Permission.MOVE_MONEY}
    statuses = {"POST": 201}
    answers = {"GET": page_of(invoicing_answers.BillingRun), "POST": invoicing_answers.BillingRun}

    def get(self, request: Any) -> Response:
        return Response(page(runs_of(request.auth.organization_id), request.query_params, invoicing_presenters.run))

    @extend_schema(request=RunInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = RunInput(data=request.data)
        body.is_valid(raise_exception=True)
        with transaction.atomic():
            run = start_billing_run(
                organization=request.auth.organization,
                month=month_of(body.validated_data["month"]),
                now=system_clock(),
            )
            # Should the broker be away, the run stays queued and beat's next look finds it.
            transaction.on_commit(partial(work_run.delay, run_id=run.pk), robust=True)
        return Response(invoicing_presenters.run(run), status=201)


class RunView(APIView):
    answers = {"GET": invoicing_answers.BillingRun}

    def get(self, request: Any, run: str) -> Response:
        return Response(invoicing_presenters.run(find(runs_of(request.auth.organization_id), run, what="billing_run")))
