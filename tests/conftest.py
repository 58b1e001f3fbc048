"""Real PostgreSQL and Valkey for the tests, started when the first test needs one of them.

`TAXIMETER_TEST_DATABASE_URL` and `TAXIMETER_TEST_REDIS_URL`, both together, name others to use instead.
Tests which start or kill servers have embedded ones all the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from launcher.services import Services
from tests import examples, spread, tiers
from tests.system import System, migrate_template, system_alone, system_on

# A run starts some hundred processes: each would compile the whole project where Python is told to keep nothing of it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The addresses are known before the servers run. They are set here, while pytest loads this file, because
# Django's settings read the environment once; for that reason pyproject.toml does not name a settings module.
_services = Services.temporary()
_is_embedded = not os.environ.get("TAXIMETER_TEST_DATABASE_URL")
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "TAXIMETER_ENV": "test",
    "TAXIMETER_VAR": str(_services.directory / "var"),
    # Tests use fixed dates and hold on any day; those of the quarantine narrow this down themselves.
    "TAXIMETER_EVENT_LOOK_BACK_DAYS": "1000000",
    "TAXIMETER_EVENT_LOOK_AHEAD_SECONDS": "100000000000",
    "TAXIMETER_ENGINE_SECRET": "secret of the engine in tests",
    "DATABASE_URL": _services.postgres_url if _is_embedded else os.environ["TAXIMETER_TEST_DATABASE_URL"],
    "REDIS_URL": _services.redis_url if _is_embedded else os.environ["TAXIMETER_TEST_REDIS_URL"],
}

import django  # noqa: E402 - needs the environment above

django.setup()  # now, so that pytest-django finds Django configured and other conftests may import models

from django.contrib.auth.hashers import PBKDF2PasswordHasher  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client, TransactionTestCase  # noqa: E402

from tests import tenancy  # noqa: E402
from tests.api import Api, make_api  # noqa: E402 - models can be imported from here on
from tests.conformance import document  # noqa: E402
from tests.emptying import empty_database  # noqa: E402

# A password takes half a second else. Servers of tests read the number from each hash, and their own is Django's.
PBKDF2PasswordHasher.iterations = 1_000

# Deadlines measure how busy the machine is, not what the code does. `make test` tries a sample of what
# `make test-thorough` (--hypothesis-profile=thorough) tries; cases found once are kept as explicit examples.
hypothesis_settings.register_profile("quick", deadline=None, max_examples=examples.QUICK)
hypothesis_settings.register_profile("thorough", deadline=None, max_examples=examples.THOROUGH)
hypothesis_settings.load_profile("quick")


_request = Client.request


def _held_to_schema_and_tenant(client: Client, **request: Any) -> Any:
    path = request["PATH_INFO"]
    response, faults = tenancy.faults_of(request, partial(_request, client, **request))
    assert not faults, faults
    if path.startswith(("/api/v1/", "/v1/")):
        fault = document().faults(request["REQUEST_METHOD"], path, response)
        assert fault is None, f"An answer is not as the OpenAPI document says: {fault}"
    return response


Client.request = _held_to_schema_and_tenant


if _is_embedded:  # where the tests' user may do all
    TransactionTestCase._fixture_teardown = empty_database


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-durations", action="store_true", help="write the seconds of each file to a table")


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if config.getoption("--record-durations") and not is_worker:
        config.pluginmanager.register(spread.Stopwatch())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Iterator[None]:
    tiers.mark(items)  # before -m chooses among them
    yield
    spread.sort_longest_first(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Each process that runs tests has servers of its own, and finds that out as this one did."""
    del os.environ["DJANGO_SETTINGS_MODULE"]


def pytest_unconfigure() -> None:
    _services.stop()


@pytest.fixture(scope="session")
def services() -> Services:
    """The embedded PostgreSQL and Valkey of this test run, running."""
    return _services.start()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(request: pytest.FixtureRequest) -> None:
    """What uses the database, by pytest-django's marker or fixtures, has it running, as a copy of the template."""
    if _is_embedded:
        template = request.getfixturevalue("_system_template")
        connection.settings_dict["TEST"]["TEMPLATE"] = template


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Tests that commit empty all tables at their end, which the audit trail would refuse."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER accounts_audit_trail_is_never_emptied")


@pytest.fixture(scope="session")
def postgres_url(django_db_modify_db_settings: None) -> str:
    """The address of an empty database. Tests of models use pytest-django's own, which is another."""
    return os.environ["DATABASE_URL"]


@pytest.fixture(scope="session")
def redis_url(django_db_modify_db_settings: None) -> str:
    return os.environ["REDIS_URL"]


@pytest.fixture(scope="session")
def _system_template(services: Services) -> str:
    return migrate_template(services)


@pytest.fixture
def system(services: Services, _system_template: None) -> Iterator[System]:
    """Web server and worker on a database of their own, in a PostgreSQL shared with other tests: do not kill it."""
    with system_on(services) as running:
        yield running


@pytest.fixture(name="system_alone")
def _system_alone() -> Iterator[System]:
    """Web server and worker on a PostgreSQL and a Valkey of their own, which may be killed."""
    with system_alone() as running:
        yield running


@pytest.fixture
def api(db: None) -> Api:
    """An organization with a client that may do everything."""
    return make_api("Vendor")


@pytest.fixture
def another_api(db: None) -> Api:
    return make_api("Other vendor")
