"""Real PostgreSQL and Valkey for the tests, started when the first test needs one of them.

`TAXIMETER_TEST_DATABASE_URL` and `TAXIMETER_TEST_REDIS_URL`, both together, name others to use instead.
Tests which start or kill servers have embedded ones all the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings as hypothesis_settings

from launcher.services import Services
from tests.system import System, migrate_template, system_alone, system_on

# The addresses are known before the servers run. They are set here, while pytest loads this file, because
# Django's settings read the environment once; for that reason pyproject.toml does not name a settings module.
_services = Services.temporary()
_is_embedded = not os.environ.get("TAXIMETER_TEST_DATABASE_URL")
os.environ |= {
    "DJANGO_SETTINGS_MODULE": "config.settings",
    "TAXIMETER_ENV": "test",
    "TAXIMETER_VAR": str(_services.directory / "var"),
    "TAXIMETER_ENGINE_SECRET": "secret of the engine in tests",
    "DATABASE_URL": _services.postgres_url if _is_embedded else os.environ["TAXIMETER_TEST_DATABASE_URL"],
    "REDIS_URL": _services.redis_url if _is_embedded else os.environ["TAXIMETER_TEST_REDIS_URL"],
}

import django  # noqa: E402 - needs the environment above

django.setup()  # now, so that pytest-django finds Django configured and other conftests may import models

from django.db import connection  # noqa: E402

from tests.api import Api, make_api  # noqa: E402 - models can be imported from here on

# Deadlines measure how busy the machine is, not what the code does.
hypothesis_settings.register_profile("taximeter", deadline=None)
hypothesis_settings.load_profile("taximeter")


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
