"""Every address of the console, by every role: what `rest.access` says is what happens."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import URLPattern, reverse

from accounts.facade import Role
from console import urls
from rest.access import TABLE
from tests.console.conftest import Vendor

#: What is there for people who are not signed in; each sees to it by itself what they may do.
OPEN = {"sign_in", "second_step", "sign_out", "forgotten_password", "new_password", "invitation"}
#: The stream of the overview looks up by itself, with `page`, whom it has not seen lately.
OPEN |= {"live"}
#: The way in by an organization's provider.
OPEN |= {"choose_provider", "provider_sign_in", "provider_answer"}
PAGES: list[Any] = [one for one in urls.urlpatterns if isinstance(one, URLPattern)]

_EXAMPLES = {"identity": "00000000-0000-0000-0000-000000000000", "chart": "usage_by_day"}


def address_of(pattern: Any) -> str:
    return reverse(
        f"console:{pattern.name}", kwargs={key: _EXAMPLES.get(key, "x") for key in pattern.pattern.converters}
    )


def test_every_view_says_who_it_is_for() -> None:
    silent = {one.name for one in PAGES if not hasattr(one.callback, "permission")}
    assert silent == OPEN


@pytest.mark.parametrize("role", Role.values)
def test_a_role_may_do_what_its_views_say_and_nothing_else(vendor: Vendor, role: str) -> None:
    client = vendor.client if role == "owner" else vendor.member(role)
    client.raise_request_exception = False
    wrong = {}
    for pattern in PAGES:
        if pattern.name in OPEN:
            continue
        view, address = pattern.callback, address_of(pattern)
        if "GET" in view.methods:
            answer = client.get(address)
            if (answer.status_code == 403) is (role in TABLE[view.permission].roles):
                wrong[f"GET {address}"] = answer.status_code
        if "POST" in view.methods:
            answer = client.post(address)
            # Who may is asked for the password, or told that the form is wrong or that nothing is there.
            if (answer.status_code == 403) is (role in TABLE[view.post_permission].roles):
                wrong[f"POST {address}"] = answer.status_code
    assert wrong == {}


def test_a_viewer_changes_nothing() -> None:
    own = {"choose_organization", "confirm", "two_factor", "recovery_codes", "two_factor_off", "change_password"}
    own |= {"sign_out_elsewhere", "end_session", "member_remove"}  # one's own account, and leaving
    changing = {
        one.name
        for one in PAGES
        if one.name not in OPEN
        and "POST" in one.callback.methods
        and "viewer" in TABLE[one.callback.post_permission].roles
    }
    assert changing - own == set()
