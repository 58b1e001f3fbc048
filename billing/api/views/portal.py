from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.facade import create_portal_link
from billing.queries.customers import get_customer
from kernel.clock import system_clock
from rest.serializers import InstantField, StrictSerializer


class PortalLinkInput(StrictSerializer):
    """`expires_in_hours`: 1 to 168."""

    expires_in_hours = serializers.IntegerField(min_value=1, max_value=168, default=24)


class PortalLinkAnswer(serializers.Serializer):  # type: ignore[type-arg]
    """`url` works once, until `expires_at`, and is in this answer and nowhere else."""

    url = serializers.CharField()
    customer = serializers.CharField()
    expires_at = InstantField()


class PortalLinkView(APIView):
    """A link into the customer's portal, for a page of yours to send the customer on to."""

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
            link_of=lambda token: request.build_absolute_uri(reverse("portal:open", args=[token])),
            lifetime=timedelta(hours=body.validated_data["expires_in_hours"]),
        )
        return Response({"url": link, "customer": found.key, "expires_at": made.expires_at}, status=201)
