"""API of customers, seller profiles, billing policy and portal links."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.facade import create_portal_link
from billing.customers import answers, presenters
from billing.customers import answers as customers_answers
from billing.customers import presenters as customers_presenters
from billing.customers.queries import customers_of, get_customer, policy_of, seller_profile_of
from billing.customers.sellers import change_logo, change_seller_profile
from billing.customers.services import change_policy, create_customer, update_customer
from billing.documents.api import (
    AsItIs,
)
from billing.documents.languages import LANGUAGES, is_language
from billing.documents.logos import MOST_BYTES, LogoInvalid, LogoTooLarge
from billing.documents.profile_fields import FIELDS
from billing.invoicing import answers as invoicing_answers
from billing.invoicing import presenters as invoicing_presenters
from billing.invoicing.priced import Unpriceable
from billing.invoicing.queries import (
    open_periods,
)
from billing.models import SellerProfile
from billing.test_clocks.queries import clock_of, get_test_clock
from kernel.clock import system_clock
from kernel.errors import InvalidError, NotFoundError
from rest.access import Permission
from rest.idempotency import idempotent
from rest.links import public_link
from rest.pagination import page
from rest.permissions import require_permission
from rest.schema import page_of
from rest.serializers import (
    CurrencyField,
    CustomerKeyField,
    DecimalField,
    InstantField,
    StrictSerializer,
    TimezoneField,
)


class LanguageField(serializers.CharField):
    """The tag of a language that documents can be written in, such as `de` or `de-AT`."""

    default_error_messages = {"language": f"There are words for {', '.join(LANGUAGES)}, such as de or de-AT"}

    def to_internal_value(self, data: Any) -> str:
        tag = str(super().to_internal_value(data))
        if tag and not (len(tag) <= 12 and is_language(tag)):
            self.fail("language")
        return tag


class CustomerInput(StrictSerializer):
    key = CustomerKeyField()
    name = serializers.CharField(max_length=200, required=False)
    email = serializers.EmailField(required=False, allow_blank=True)
    currency = CurrencyField(required=False)
    timezone = TimezoneField(required=False)
    address = serializers.JSONField(required=False)
    tax_rate = DecimalField(required=False, low=Decimal(0), high=Decimal(1))
    tax_id = serializers.CharField(max_length=64, required=False, allow_blank=True)
    tax_treatment = serializers.ChoiceField(choices=["standard", "exempt", "reverse_charge"], required=False)
    locale = LanguageField(required=False, allow_blank=True)
    metadata = serializers.DictField(required=False)
    test_clock = serializers.CharField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name in ("address", "metadata"):
            if name in attrs:
                attrs[name] = storable(attrs[name], name)
        return attrs


class BillingPolicyInput(StrictSerializer):
    grace_hours = serializers.IntegerField(min_value=0, max_value=1440, required=False)
    payment_days = serializers.IntegerField(min_value=0, max_value=365, required=False)
    late_usage = serializers.ChoiceField(choices=["adjust", "write_off"], required=False)
    zero_amount = serializers.ChoiceField(choices=["issue", "skip"], required=False)
    issue = serializers.ChoiceField(choices=["month_close", "when_due"], required=False)
    tax_rounding = serializers.ChoiceField(choices=["document", "line"], required=False)


def storable(value: Any, name: str) -> Any:
    """A JSON value that the database can keep: exact decimals become strings, U+0000 is refused."""
    if isinstance(value, Mapping):
        return {storable(str(key), name): storable(item, name) for key, item in value.items()}
    if isinstance(value, list):
        return [storable(item, name) for item in value]
    if isinstance(value, str) and "\x00" in value:
        raise serializers.ValidationError({name: "Text cannot hold the character U+0000"})
    return str(value) if isinstance(value, Decimal) else value


class SellerProfileInput(StrictSerializer):
    """Any of a profile's texts; the service says what each may be."""

    many_lines = ("footer",)

    def get_fields(self) -> dict[str, Any]:
        return {name: serializers.CharField(required=False, allow_blank=True, max_length=1000) for name in FIELDS}


#: Fields of a customer that change what they pay.
_MONEY = frozenset({"currency", "tax_rate", "tax_treatment", "tax_id"})


class CustomersView(APIView):
    required_permission = {"POST": Permission.BUILD}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.Customer), "POST": answers.Customer}

    def get(self, request: Any) -> Response:
        return Response(page(customers_of(request.auth.organization_id), request.query_params, presenters.customer))

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
        return Response(presenters.customer(customer), status=201)


class CustomerView(APIView):
    required_permission = {"PATCH": Permission.CHANGE_CUSTOMERS}
    answers = {"GET": answers.Customer, "PATCH": answers.Customer}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        return Response(presenters.customer(found))

    @extend_schema(request=CustomerInput)
    def patch(self, request: Any, customer: str) -> Response:
        """Another currency, tax rate, tax treatment or tax id changes what is paid: it needs the scope `billing:write`,
        and everything else `write`."""
        body = CustomerInput(data=request.data, partial=True)
        body.is_valid(raise_exception=True)
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        if body.validated_data.get("key", found.key) != found.key:
            raise InvalidError("A customer's key never changes: events name it", code="key_immutable")
        if body.validated_data.get("test_clock", found.test_clock_id) != found.test_clock_id:
            raise InvalidError("A customer's test clock is settled when it is made", code="test_clock_immutable")
        body.validated_data.pop("test_clock", None)
        changed = {name for name, value in body.validated_data.items() if value != getattr(found, name)}
        if changed & _MONEY:
            require_permission(request.auth, Permission.MOVE_MONEY)
        if changed - _MONEY:
            require_permission(request.auth, Permission.BUILD)
        return Response(presenters.customer(update_customer(customer=found, now=system_clock(), **body.validated_data)))


class UpcomingInvoiceView(APIView):
    """What the open billing period would cost if it ended now, priced by what will issue the invoice."""

    answers = {"GET": invoicing_answers.UpcomingInvoices}

    def get(self, request: Any, customer: str) -> Response:
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        now = clock_of(found)()
        periods = open_periods(customer=found, now=now)
        if not periods:
            raise NotFoundError("This customer has no subscription at present", code="no_subscription")
        shown = []
        for one in periods:
            if isinstance(one, Unpriceable):
                raise one.error
            shown.append(invoicing_presenters.upcoming(one.upcoming, one.spend))
        return Response(shown[0] if len(shown) == 1 else shown[0] | {"others": shown[1:]})


class PortalLinkInput(StrictSerializer):
    """`expires_in_hours`: 1 to 168."""

    expires_in_hours = serializers.IntegerField(min_value=1, max_value=168, default=24)


class PortalLinkAnswer(serializers.Serializer[Any]):
    """`url` works once, until `expires_at`, and is in this answer and nowhere else."""

    url = serializers.CharField()
    customer = serializers.CharField()
    expires_at = InstantField()


class PortalLinkView(APIView):
    """A link into the customer's portal, for a page of yours to send the customer on to."""

    required_permission = Permission.LET_CUSTOMERS_IN
    statuses = {"POST": 201}
    answers = {"POST": PortalLinkAnswer}

    @extend_schema(request=PortalLinkInput)
    def post(self, request: Any, customer: str) -> Response:
        body = PortalLinkInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_customer(organization_id=request.auth.organization_id, customer=customer)
        made, link = create_portal_link(
            organization=request.auth.organization,
            customer=found.pk,
            now=system_clock(),
            link_of=partial(public_link, "portal:open"),
            lifetime=timedelta(hours=body.validated_data["expires_in_hours"]),
        )
        return Response({"url": link, "customer": found.key, "expires_at": made.expires_at}, status=201)


class BillingPolicyView(APIView):
    """How the organization bills, where it may choose."""

    required_permission = {"PATCH": Permission.MOVE_MONEY}
    answers = {"GET": customers_answers.BillingPolicy, "PATCH": customers_answers.BillingPolicy}

    def get(self, request: Any) -> Response:
        return Response(customers_presenters.policy(policy_of(request.auth.organization_id)))

    @extend_schema(request=BillingPolicyInput)
    def patch(self, request: Any) -> Response:
        body = BillingPolicyInput(data=request.data)
        body.is_valid(raise_exception=True)
        changed = change_policy(organization_id=request.auth.organization_id, **body.validated_data)
        return Response(customers_presenters.policy(changed))


class SellerProfileView(APIView):
    """What stands on documents issued from now on. Those that are issued keep what they were issued with."""

    required_permission = {"PATCH": Permission.MOVE_MONEY}
    answers = {"GET": customers_answers.SellerProfile, "PATCH": customers_answers.SellerProfile}

    def get(self, request: Any) -> Response:
        return Response(customers_presenters.seller_profile(seller_profile_of(request.auth.organization_id)))

    @extend_schema(request=SellerProfileInput)
    def patch(self, request: Any) -> Response:
        body = SellerProfileInput(data=request.data)
        body.is_valid(raise_exception=True)
        changed = change_seller_profile(
            organization_id=request.auth.organization_id,
            now=system_clock(),
            actor=request.auth.hint,
            **body.validated_data,
        )
        return Response(customers_presenters.seller_profile(changed))


class SellerLogoView(APIView):
    """The logo: the body is a PNG or an SVG of at most 256 KiB."""

    required_permission = {"PUT": Permission.MOVE_MONEY, "DELETE": Permission.MOVE_MONEY}
    content_negotiation_class = AsItIs
    answers = {"PUT": customers_answers.SellerProfile, "DELETE": customers_answers.SellerProfile}

    @extend_schema(responses={(200, "image/*"): OpenApiTypes.BINARY})
    def get(self, request: Any) -> HttpResponse:
        logo = seller_profile_of(request.auth.organization_id).logo
        if logo is None:
            raise NotFoundError("There is no logo", code="logo_not_found")
        headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox"}
        return HttpResponse(bytes(logo.content), content_type=logo.media_type, headers=headers)

    @extend_schema(request={"image/png": OpenApiTypes.BINARY, "image/svg+xml": OpenApiTypes.BINARY})
    def put(self, request: Any) -> Response:
        body = request._request.read(MOST_BYTES + 1)
        if not body:
            raise LogoInvalid("The body is the picture")
        if len(body) > MOST_BYTES:
            raise LogoTooLarge(f"A logo has at most {MOST_BYTES // 1024} KiB")
        return self._changed(request, body)

    @extend_schema(request=None)
    def delete(self, request: Any) -> Response:
        return self._changed(request, None)

    @staticmethod
    def _changed(request: Any, content: bytes | None) -> Response:
        profile: SellerProfile = change_logo(
            organization_id=request.auth.organization_id, content=content, now=system_clock(), actor=request.auth.hint
        )
        return Response(customers_presenters.seller_profile(profile))
