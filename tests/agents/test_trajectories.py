"""Recorded runs of a real agent as task trees, with the counts that are known of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agents.demo.inputs import RECORDED_RUNS
from agents.importers.chat import import_runs
from agents.models import TaskSummary
from agents.services.projection import advance_task_summaries
from tests.api import Api, make_api

#: The hundred runs.
ALL_RUNS = Path(__file__).parents[1] / "data" / "airline_runs.jsonl.gz"


@pytest.fixture
def api(transactional_db: None) -> Api:
    api = make_api("Vendor")
    api.customer("meridian-air")
    return api


def bring_in(api: Api, path: Path) -> list[dict[str, Any]]:
    """The runs, a run every five minutes, as listed tasks."""
    import_runs(
        path,
        organization=api.organization,
        customer="meridian-air",
        agent="airline@gpt-4o",
        start=datetime(2026, 10, 5, 8, tzinfo=UTC),
        every=timedelta(minutes=5),
    )
    advance_task_summaries()
    return api.get("tasks", limit="1000").json()["data"]


def counts(tasks: list[dict[str, Any]]) -> tuple[int, int, int, int]:
    succeeded = sum(task["outcome"] == "succeeded" for task in tasks)
    return len(tasks), sum(task["turns"] for task in tasks), sum(task["decisions"] for task in tasks), succeeded


def test_a_hundred_recorded_runs_are_a_hundred_task_trees_with_the_right_counts(api):
    tasks = bring_in(api, ALL_RUNS)
    assert counts(tasks) == (100, 1_229, 572, 43)
    assert {task["agent"] for task in tasks} == {"airline"}
    assert {task["attempts"] for task in tasks} == {1}
    assert len({task["goal"] for task in tasks}) == 100  # 50 tasks, two trials each
    failed = [task for task in tasks if task["outcome"] == "failed"]
    assert len(failed) == 57  # visible, and no succeeded task is counted for them


def test_each_recorded_run_is_a_tree_whose_nodes_are_what_was_counted(api):
    tasks = bring_in(api, RECORDED_RUNS)
    assert len(tasks) == 10
    for task in tasks:
        found = api.get(f"tasks/{task['id']}").json()
        nodes = [node["type"] for turn in found["tree"] for node in (turn, *turn["children"])]
        assert {turn["type"] for turn in found["tree"]} == {"turn"}
        assert (nodes.count("turn"), nodes.count("decision")) == (task["turns"], task["decisions"])
        assert (found["turns"], found["decisions"], found["outcome"]) == (
            task["turns"],
            task["decisions"],
            task["outcome"],
        )
        tools = [child for turn in found["tree"] for node in turn["children"] for child in node["children"]]
        assert len(tools) == task["tool_calls"]
    assert TaskSummary.objects.count() == 10
