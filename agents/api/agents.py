from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.api import answers, present
from agents.api.serializers import AgentInput, AgentVersionInput
from agents.services.agents import agents_of, create_agent, create_agent_version, get_agent
from rest.access import Permission
from rest.idempotency import idempotent
from rest.pagination import page
from rest.schema import page_of


class AgentsView(APIView):
    required_permission = {"POST": Permission.BUILD}
    statuses = {"POST": 201}
    answers = {"GET": page_of(answers.Agent), "POST": answers.Agent}

    def get(self, request: Any) -> Response:
        return Response(page(agents_of(request.auth.organization_id), request.query_params, present.agent))

    @extend_schema(request=AgentInput)
    @idempotent
    def post(self, request: Any) -> Response:
        body = AgentInput(data=request.data)
        body.is_valid(raise_exception=True)
        agent = create_agent(organization=request.auth.organization, actor=str(request.auth), **body.validated_data)
        return Response(present.agent(agent), status=201)


class AgentView(APIView):
    answers = {"GET": answers.Agent}

    def get(self, request: Any, agent: str) -> Response:
        return Response(present.agent(get_agent(organization_id=request.auth.organization_id, agent=agent)))


class AgentVersionsView(APIView):
    """Another version of an agent; versions never change."""

    required_permission = Permission.BUILD
    statuses = {"POST": 201}
    answers = {"POST": answers.AgentVersion}

    @extend_schema(request=AgentVersionInput)
    @idempotent
    def post(self, request: Any, agent: str) -> Response:
        body = AgentVersionInput(data=request.data)
        body.is_valid(raise_exception=True)
        found = get_agent(organization_id=request.auth.organization_id, agent=agent)
        version = create_agent_version(agent=found, actor=str(request.auth), **body.validated_data)
        return Response(present.agent_version(version), status=201)
