from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.api import answers, present
from billing.api.serializers import CancelInput, ChangeInput, CustomerInput, SubscriptionInput
from billing.queries.bills import period_end
from billing.queries.catalogue import get_plan
from billing.queries.clocks import clock_of, get_test_clock
from billing.queries.customers import customers_of, get_customer, get_subscription, subscriptions_of
from billing.queries.rating import PricedInvoice, Unpriceable
from billing.queries.upcoming import upcoming_invoices
from billing.services.changes import change_plan, change_seats
from billing.services.customers import cancel_subscription, create_customer, subscribe, update_customer
from kernel.errors import InvalidError, NotFoundError
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class CustomersView(APIView):
    answers = {"GET": page_of(answers.Customer), "POST": answers.Customer}

    def get(self, request: Any) -> Response:
        return Response(page(customers_of(request.auth.organization_id), request.query_params, present.customer))

    @extend_schema(request=CustomerInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = CustomerInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = dict(body.validated_data)
        if fields.get("test_clock"):
            fields["test_clock"] = get_test_clock(
                organization_id=request.auth.organization_id, test_clock=fields["test_clock"]
            )
        customer = create_customer(organization=request.auth.organization, **fields)
        return Response(present.customer(customer), status=201)


class CustomerView(APIView):
    answers = {"GET": answers.Customer, "PATCH": answers.Customer}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        return Response(present.customer(found))

    @extend_schema(request=CustomerInput)
    def patch(self, request: Any, customer: str) -> Response:
        body = CustomerInput(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        if body.validated_data.get("key", found.key) != found.key:
            raise InvalidError("A customer's key never changes: events name it", code="key_immutable")
        if body.validated_data.get("test_clock", found.test_clock_id) != found.test_clock_id:
            raise InvalidError("A customer's test clock is settled when it is made", code="test_clock_immutable")
        body.validated_data.pop("test_clock", None)
        return Response(present.customer(update_customer(customer=found, **body.validated_data)))


class UpcomingInvoiceView(APIView):
    """What the open billing period would cost if it ended now, priced by what will issue the invoice."""

    answers = {"GET": answers.UpcomingInvoices}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        answers = upcoming_invoices(customer=found, now=clock_of(found)())
        if not answers:
            raise NotFoundError("This customer has no subscription at present", code="no_subscription")
        for answer in answers:
            if isinstance(answer, Unpriceable):
                raise answer.error
        shown = [present.upcoming(answer) for answer in answers if isinstance(answer, PricedInvoice)]
        return Response(shown[0] if len(shown) == 1 else shown[0] | {"others": shown[1:]})


class SubscriptionsView(APIView):
    answers = {"GET": page_of(answers.Subscription), "POST": answers.Subscription}
    filters = ("customer",)

    def get(self, request: Any) -> Response:
        rows = subscriptions_of(request.auth.organization_id)
        if customer := request.query_params.get("customer"):
            rows = rows.filter(customer=get_customer(organization_id=request.auth.organization_id, customer=customer))
        return Response(page(rows, request.query_params, present.subscription))

    @extend_schema(request=SubscriptionInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = SubscriptionInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = body.validated_data
        organization_id = request.auth.organization_id
        customer = get_customer(organization_id=organization_id, customer=fields["customer"])
        subscription = subscribe(
            customer=customer,
            plan=get_plan(organization_id=organization_id, plan=fields["plan"]),
            starts_at=fields.get("starts_at") or clock_of(customer)(),
            seats=fields["seats"],
            anchor=fields["anchor"],
            trial_days=fields.get("trial_days"),
        )
        return Response(present.subscription(subscription), status=201)


class SubscriptionView(APIView):
    answers = {"GET": answers.Subscription}

    def get(self, request: Any, subscription: str) -> Response:
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        return Response(present.subscription(found))


class ChangeView(APIView):
    """Other seats or another plan, now or at the end of the period. Another plan is a new subscription."""

    answers = {"POST": answers.Subscription}

    @extend_schema(request=ChangeInput)
    def post(self, request: Any, subscription: str) -> Response:
        body = ChangeInput(data=request.data)
        body.is_valid(raise_exception=True)
        organization_id, fields = request.auth.organization_id, body.validated_data
        found = get_subscription(organization_id=organization_id, subscription=subscription)
        now = clock_of(found.customer)()
        if "plan" in fields:
            plan = get_plan(organization_id=organization_id, plan=fields["plan"])
            found = change_plan(subscription=found, plan=plan, when=fields["when"], now=now, seats=fields.get("seats"))
        else:
            change_seats(subscription=found, seats=fields["seats"], when=fields["when"], now=now)
        shown = get_subscription(organization_id=organization_id, subscription=found.pk)
        return Response(present.subscription(shown))


class CancelView(APIView):
    answers = {"POST": answers.Subscription}

    @extend_schema(request=CancelInput)
    def post(self, request: Any, subscription: str) -> Response:
        body = CancelInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_subscription(organization_id=request.auth.organization_id, subscription=subscription)
        now = clock_of(found.customer)()
        if body.validated_data["when"] == "period_end":
            now = period_end(found, max(now, found.starts_at))
        return Response(present.subscription(cancel_subscription(subscription=found, ends_at=now)))
