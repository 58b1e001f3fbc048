from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from agents.api import answers, present
from agents.api.parameters import customer_key, text_parameter
from agents.api.serializers import DisputeInput, OutcomeInput, TaskInput
from agents.queries.charges import charges_of, transactions_of
from agents.queries.tasks import TaskQuestion, list_tasks, projected_to
from agents.queries.traces import TaskNotFound, task_trace
from agents.services.outcomes import OutcomeChange, dispute_outcome, set_outcome
from agents.services.tasks import queue_task, task_given
from agents.tasks import work_tasks
from kernel.clock import system_clock
from kernel.errors import InvalidError
from metering.facade import OUTCOMES
from rest.access import Permission
from rest.idempotency import idempotent
from rest.lookup import instant_parameter
from rest.pagination import limit_of
from rest.schema import page_of


class TasksView(APIView):
    """Tasks, those that began last first, as the projection has them: seconds behind the log at most."""

    required_permission = {"POST": Permission.BUILD}
    statuses = {"POST": 202}
    answers = {"GET": page_of(answers.TaskSummary), "POST": answers.QueuedTask}
    filters = ("customer", "agent", "outcome", "from", "to")

    def get(self, request: Any) -> Response:
        organization_id, asked = request.auth.organization_id, request.query_params
        found, following = list_tasks(
            _question(organization_id, asked), limit=limit_of(asked), cursor=asked.get("cursor")
        )
        charges = charges_of(
            found,
            organization_id=organization_id,
            transactions=transactions_of(found),
            since=projected_to(organization_id),
        )
        tasks = [present.task(one, charges.get(one.task_id)) for one in found]
        return Response({"data": tasks, "next_cursor": following})

    @extend_schema(request=TaskInput)
    @idempotent
    def post(self, request: Any) -> Response:
        """Give a task to one of our own agents. The same `task_id` again answers the task there is."""
        body = TaskInput(data=request.data)
        body.is_valid(raise_exception=True)
        fields = {"input": None, "task_id": None, **body.validated_data}
        task = queue_task(organization=request.auth.organization, now=system_clock(), **fields)
        # Should the broker be away, the schedule's next look finds the task.
        transaction.on_commit(work_tasks.delay, robust=True)
        return Response(present.queued_task(task), status=202)


class TaskView(APIView):
    """One task with its tree, from the log: every accepted event is in it. `run` is what our runtime knows of it."""

    answers = {"GET": answers.Task}

    def get(self, request: Any, task_id: str) -> Response:
        organization_id = request.auth.organization_id
        queued = task_given(organization_id=organization_id, task_id=_named(task_id))
        run = present.queued_task(queued) if queued else None
        try:
            found = task_trace(organization_id=organization_id, task_id=task_id)
        except TaskNotFound:
            if run is None:
                raise
            return Response(run | {"run": run})
        charges = charges_of(
            [found.task], organization_id=organization_id, transactions=found.transactions, since=found.since
        )
        return Response(present.trace(found, charges.get(found.task.task_id)) | {"run": run})


class OutcomeView(APIView):
    """Says how a task ended that has not said so itself."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Outcome}

    @extend_schema(request=OutcomeInput)
    @idempotent
    def post(self, request: Any, task_id: str) -> Response:
        body = OutcomeInput(data=request.data)
        body.is_valid(raise_exception=True)
        change = set_outcome(
            organization_id=request.auth.organization_id,
            task_id=_named(task_id),
            actor=str(request.auth),
            now=system_clock(),
            **body.validated_data,
        )
        return Response(_present(task_id, change))


class DisputeView(APIView):
    """Replaces a task's outcome; what was said before stays in the log, taken back."""

    required_permission = Permission.MOVE_MONEY
    answers = {"POST": answers.Outcome}

    @extend_schema(request=DisputeInput)
    @idempotent
    def post(self, request: Any, task_id: str) -> Response:
        body = DisputeInput(data=request.data)
        body.is_valid(raise_exception=True)
        change = dispute_outcome(
            organization_id=request.auth.organization_id,
            task_id=_named(task_id),
            actor=str(request.auth),
            now=system_clock(),
            **body.validated_data,
        )
        return Response(_present(task_id, change))


def _present(task_id: str, change: OutcomeChange) -> dict[str, Any]:
    told = asdict(change)
    return {
        "id": task_id,
        "outcome": told["outcome"],
        "previous_outcome": told["previous"],
        "changed": told["has_changed"],
        "settled": told["is_settled"],
    }


def _question(organization_id: int, asked: Any) -> TaskQuestion:
    outcome = asked.get("outcome") or None
    if outcome is not None and outcome not in {*OUTCOMES, "open"}:
        raise InvalidError(f"outcome is one of {', '.join(OUTCOMES)}, open", code="outcome_invalid")
    return TaskQuestion(
        organization_id=organization_id,
        customer=customer_key(organization_id, text_parameter(asked, "customer")),
        agent=text_parameter(asked, "agent"),
        outcome=outcome,
        start=instant_parameter(asked, "from"),
        end=instant_parameter(asked, "to"),
    )


def _named(task_id: str) -> str:
    if "\x00" in task_id:
        raise InvalidError("A task id cannot hold the character U+0000", code="task_id_invalid")
    return task_id
