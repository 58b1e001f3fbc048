"""The catalogue of models and the engine, for whoever runs this installation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.facade import record_audit
from agents.facade import rate_table
from inference.api import engine
from inference.api.errors import EngineUnavailable
from inference.api.serializers import ModelAnswer, ModelInput, RecallInput, TaskOfModel, present_model
from inference.engine.model_file import describe_model_file
from inference.models import Model
from inference.queries.models import get_model, tasks_of_model
from inference.services.catalogue import add_model, recall_model
from inference.services.operators import require_operator
from kernel.clock import system_clock
from kernel.errors import InvalidError
from rest.access import Permission
from rest.idempotency import idempotent
from rest.pagination import decode_cursor, encode_cursor, limit_of, page
from rest.schema import page_of


class ModelsView(APIView):
    """The models that the engine may load."""

    required_permission = {"POST": Permission.RECALL_MODELS}
    statuses = {"POST": 201}
    answers = {"GET": page_of(ModelAnswer), "POST": ModelAnswer}

    def get(self, request: Any) -> Response:
        keys = Model.objects.values_list("key", flat=True)
        return Response(page(Model.objects.all(), request.query_params, _presenter(request, *keys)))

    @extend_schema(request=ModelInput)
    @idempotent
    def post(self, request: Any) -> Response:
        """Enters a file of `TAXIMETER_MODEL_DIR`."""
        require_operator(request.auth.organization)
        body = ModelInput(data=request.data)
        body.is_valid(raise_exception=True)
        file = describe_model_file(_in_model_directory(body.validated_data["file"]))
        model = add_model(file=file, actor=str(request.auth), now=system_clock(), key=body.validated_data.get("key"))
        return Response(_present(request, model), status=201)


def _presenter(request: Any, *keys: str) -> Callable[[Model], dict[str, Any]]:
    """Shows the models with these keys, with what they cost the organization now."""
    rates = rate_table(organization_id=request.auth.organization_id, models=keys)
    return partial(present_model, rates=rates, now=system_clock())


def _present(request: Any, model: Model) -> dict[str, Any]:
    return _presenter(request, model.key)(model)


def _in_model_directory(name: str) -> Path:
    directory = Path(settings.MODEL_DIR).resolve()
    if "\x00" not in name:
        path = (directory / name).resolve()
        if path.is_relative_to(directory) and path.is_file():
            return path
    raise InvalidError(f"There is no file {name!r} among the models (TAXIMETER_MODEL_DIR)", code="model_file_missing")


class ModelView(APIView):
    answers = {"GET": ModelAnswer}

    def get(self, request: Any, reference: str) -> Response:
        return Response(_present(request, get_model(reference)))


class RecallView(APIView):
    required_permission = Permission.RECALL_MODELS
    answers = {"POST": ModelAnswer}

    @extend_schema(request=RecallInput)
    def post(self, request: Any, reference: str) -> Response:
        """Takes a model out of use, everywhere and for good."""
        require_operator(request.auth.organization)
        body = RecallInput(data=request.data)
        body.is_valid(raise_exception=True)
        model = recall_model(
            model=get_model(reference),
            reason=body.validated_data["reason"],
            actor=str(request.auth),
            now=system_clock(),
        )
        return Response(_present(request, model))


class ModelTasksView(APIView):
    """The organization's tasks that a model worked on."""

    answers = {"GET": page_of(TaskOfModel)}

    def get(self, request: Any, reference: str) -> Response:
        limit, offset = limit_of(request.query_params), 0
        if cursor := request.query_params.get("cursor"):
            position = decode_cursor(cursor)
            if len(position) != 1 or not isinstance(position[0], int) or not 0 <= position[0] < 2**31:
                raise InvalidError("This cursor belongs to another list", code="cursor_invalid")
            offset = position[0]
        model = get_model(reference)
        tasks = tasks_of_model(organization_id=request.auth.organization_id, digest=model.digest)
        found = list(tasks[offset : offset + limit + 1])
        following = encode_cursor([offset + limit]) if len(found) > limit else None
        return Response({"data": found[:limit], "next_cursor": following})


class LoadView(APIView):
    """Loads a model before it is asked for, or unloads it."""

    required_permission = Permission.RECALL_MODELS
    action = "load"

    @extend_schema(request=None)
    def post(self, request: Any, reference: str) -> Response:
        require_operator(request.auth.organization)
        model = get_model(reference)
        answer = engine.ask("POST", f"/v1/models/{self.action}", {"model": model.digest})
        record_audit(
            organization_id=request.auth.organization_id,
            action=f"model.{self.action}",
            target=model.digest,
            key=model.key,
        )
        return Response(answer)


class MetricsView(APIView):
    """The engine's numbers for Prometheus, to be scraped with an API key as the bearer token."""

    required_permission = Permission.RECALL_MODELS

    @extend_schema(responses={(200, "text/plain"): OpenApiResponse(str)})
    def get(self, request: Any) -> HttpResponse:
        require_operator(request.auth.organization)
        answer = engine.send("GET", "/metrics")
        body = answer.read()
        if answer.status != 200:
            raise EngineUnavailable("The engine does not tell its numbers")
        return HttpResponse(body, content_type=answer.headers["Content-Type"])
