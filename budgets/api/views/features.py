from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.facade import PlanVersion, get_plan, version_numbered
from budgets.api import answers, present
from budgets.api.inputs import EntitlementsInput, FeatureChange, FeatureInput
from budgets.queries.features import entitlements_in, features_of, get_feature
from budgets.services.features import create_feature, remove_feature, rename_feature, set_entitlements
from rest.access import Permission
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class FeaturesView(APIView):
    required_permission = {"POST": Permission.BUILD}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.FeatureAnswer), "POST": answers.FeatureAnswer}

    def get(self, request: Any) -> Response:
        return Response(page(features_of(request.auth.organization_id), request.query_params, present.feature))

    @extend_schema(request=FeatureInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = FeatureInput(data=request.data)
        body.is_valid(raise_exception=True)
        made = create_feature(organization=request.auth.organization, **body.validated_data)
        return Response(present.feature(made), status=201)


class FeatureView(APIView):
    required_permission = {"PATCH": Permission.BUILD, "DELETE": Permission.BUILD}
    answers = {"GET": answers.FeatureAnswer, "PATCH": answers.FeatureAnswer}

    def get(self, request: Any, feature: str) -> Response:
        return Response(present.feature(get_feature(organization_id=request.auth.organization_id, feature=feature)))

    @extend_schema(request=FeatureChange)
    def patch(self, request: Any, feature: str) -> Response:
        body = FeatureChange(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_feature(organization_id=request.auth.organization_id, feature=feature)
        return Response(present.feature(rename_feature(feature=found, **body.validated_data)))

    def delete(self, request: Any, feature: str) -> Response:
        """Removes a feature that no plan has."""
        remove_feature(feature=get_feature(organization_id=request.auth.organization_id, feature=feature))
        return Response(status=204)


class EntitlementsView(APIView):
    """The features that a plan version has. A version without any of its own has those of the last before it."""

    required_permission = {"PUT": Permission.MOVE_MONEY}
    answers = {"GET": answers.EntitlementsAnswer, "PUT": answers.EntitlementsAnswer}

    def get(self, request: Any, plan: str, version: int) -> Response:
        found = _version(request, plan, version)
        return Response(present.entitlements(found, entitlements_in(found)))

    @extend_schema(request=EntitlementsInput)
    def put(self, request: Any, plan: str, version: int) -> Response:
        """Puts these in the place of those it had; checks see it within three seconds."""
        body = EntitlementsInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = _version(request, plan, version)
        set_entitlements(plan_version=found, entitlements=body.validated_data["entitlements"])
        return Response(present.entitlements(found, entitlements_in(found)))


def _version(request: Any, plan: str, version: int) -> PlanVersion:
    return version_numbered(get_plan(organization_id=request.auth.organization_id, plan=plan), version)
