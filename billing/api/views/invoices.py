from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, present
from billing.api.serializers import BillingPolicyInput, RunInput
from billing.models.invoices import InvoiceStatus
from billing.queries.clocks import clock_of
from billing.queries.customers import get_customer
from billing.queries.invoices import events_behind, get_invoice, get_line, invoices_of, runs_of
from billing.queries.late_changes import unbilled_changes
from billing.queries.late_usage import SETTLED, late_usage_of
from billing.queries.policy import policy_of
from billing.services.drafts import finalize_invoice, refresh_draft
from billing.services.policy import change_policy
from billing.services.runs import start_billing_run
from billing.tasks import work_run
from kernel.clock import system_clock
from kernel.errors import InvalidError
from kernel.period import Month
from metering.facade import EventAnswer, present_event
from rest.idempotency import idempotent
from rest.lookup import find
from rest.pagination import limit_of, page
from rest.schema import page_of


def month_of(text: str) -> Month:
    """A month such as 2026-10; `InvalidError` with code `month_invalid` otherwise."""
    try:
        return Month.parse(text)
    except ValueError as error:
        raise InvalidError(str(error), code="month_invalid") from None


class InvoicesView(APIView):
    answers = {"GET": page_of(answers.Invoice)}
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
        return Response(page(rows, parameters, present.invoice))


class InvoiceView(APIView):
    answers = {"GET": answers.Invoice}

    def get(self, request: Any, invoice: str) -> Response:
        return Response(present.invoice(get_invoice(organization_id=request.auth.organization_id, invoice=invoice)))


class DraftActionView(APIView):
    """`refresh` prices a draft anew; `finalize` does so and makes it final, whatever is left of its grace period."""

    answers = {"POST": answers.Invoice}

    @extend_schema(request=None)
    def post(self, request: Any, invoice: str, action: str) -> Response:
        found = get_invoice(organization_id=request.auth.organization_id, invoice=invoice)
        now = clock_of(found.customer)()
        if action == "finalize":
            finalize_invoice(invoice=found, now=now, actor=request.auth.hint)
        else:
            refresh_draft(invoice=found, now=now)
        return Response(present.invoice(get_invoice(organization_id=request.auth.organization_id, invoice=found.pk)))


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

    answers = {"GET": answers.LateUsageList}

    def get(self, request: Any, invoice: str) -> Response:
        found = get_invoice(organization_id=request.auth.organization_id, invoice=invoice)
        changes = unbilled_changes(found.organization_id, [found]) if found.status in SETTLED else []
        changed = [change for change in changes if change.quantity or change.amount]
        return Response({"data": [present.unbilled_change(change, found.currency) for change in changed]})


class AllLateUsageView(APIView):
    """Late usage as it was found, and what became of it: adjusted on an invoice, written off, or still open."""

    answers = {"GET": page_of(answers.LateUsage)}
    filters = ("resolution",)

    def get(self, request: Any) -> Response:
        rows = late_usage_of(request.auth.organization_id)
        if resolution := request.query_params.get("resolution"):
            rows = rows.filter(resolution=resolution)
        return Response(page(rows.order_by("id"), request.query_params, present.late_usage))


class BillingPolicyView(APIView):
    """How the organization bills, where it may choose."""

    answers = {"GET": answers.BillingPolicy, "PATCH": answers.BillingPolicy}

    def get(self, request: Any) -> Response:
        return Response(present.policy(policy_of(request.auth.organization_id)))

    @extend_schema(request=BillingPolicyInput)
    def patch(self, request: Any) -> Response:
        body = BillingPolicyInput(data=request.data)
        body.is_valid(raise_exception=True)
        changed = change_policy(organization_id=request.auth.organization_id, **body.validated_data)
        return Response(present.policy(changed))


class RunsView(APIView):
    answers = {"GET": page_of(answers.BillingRun), "POST": answers.BillingRun}

    def get(self, request: Any) -> Response:
        return Response(page(runs_of(request.auth.organization_id), request.query_params, present.run))

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
        return Response(present.run(run), status=201)


class RunView(APIView):
    answers = {"GET": answers.BillingRun}

    def get(self, request: Any, run: str) -> Response:
        return Response(present.run(find(runs_of(request.auth.organization_id), run, what="billing_run")))
