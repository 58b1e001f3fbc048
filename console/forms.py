"""Forms that change something: their fields, and the one way in which a page shows, checks and does them.

They work without scripts. A form carries a token, so that the same form sent twice is done once.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse_lazy

from console.reader import number_typed
from kernel.errors import ConflictError, InvalidError, MalformedError, NotFoundError
from kernel.money import decimal_from
from kernel.period import midnight
from kernel.text import TextInvalid, refusal_of, refused_character
from rest.idempotency import done_once
from rest.serializers import KEY_PATTERN

#: The field that tells apart two sendings of one form from two forms.
ONCE = "form_token"

#: What a service may answer to what somebody typed; it is said in the form.
REFUSALS = (InvalidError, ConflictError, MalformedError, NotFoundError)

_LARGEST = Decimal(10) ** 18
_DIGITS = -12


class ExactField(forms.CharField):
    """An exact decimal, up to 18 digits before and 12 behind the point."""

    def __init__(self, *, low: Decimal | None = None, high: Decimal = _LARGEST, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off", "class": "number"})
        super().__init__(max_length=60, **{"widget": widget} | kwargs)
        self.low, self.high = low, high

    def clean(self, value: Any) -> Decimal | None:
        text = super().clean(value)
        if text == "":
            return None
        try:
            number = decimal_from(number_typed(text))
        except (TypeError, ValueError):
            raise forms.ValidationError("Write a number, such as 12.34") from None
        exponent = number.as_tuple().exponent
        if abs(number) > self.high or (self.low is not None and number < self.low):
            raise forms.ValidationError("This number is out of range")
        if not isinstance(exponent, int) or exponent < _DIGITS:
            raise forms.ValidationError("At most 12 digits behind the point")
        return number


class KeyField(forms.RegexField):
    """What programs call a thing; unique in the organization, and it never changes."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            KEY_PATTERN,
            error_messages={"invalid": "Letters, digits and . _ : @ + -, at most 128, a letter or digit first"},
            **{"help_text": "What programs call it. It cannot be changed later."} | kwargs,
        )


class CustomerInput(forms.TextInput):
    """The key of a customer. Those whose name or key has what is typed are offered, into the page's datalist."""

    def __init__(self) -> None:
        super().__init__(
            {
                "list": "customer-choices",
                "autocomplete": "off",
                "hx-get": reverse_lazy("console:customer_choices"),
                "hx-trigger": "focus once, input changed delay:200ms",
                "hx-target": "#customer-choices",
            }
        )


class DayField(forms.DateField):
    """A day between 1970 and 2999."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"), **kwargs)

    def clean(self, value: Any) -> date | None:
        day: date | None = super().clean(value)
        if day is not None and not 1970 <= day.year <= 2999:
            raise forms.ValidationError("A day between 1970 and 2999")
        return day


def start_of(day: date, timezone: str) -> datetime:
    """The first instant of a day in a customer's time zone."""
    return midnight(day, ZoneInfo(timezone))


def end_of(day: date, timezone: str) -> datetime:
    """The last instant of a day in a customer's time zone."""
    return midnight(day + timedelta(days=1), ZoneInfo(timezone)) - timedelta(microseconds=1)


class PlainForm(forms.Form):
    """Its labels end without a colon.

    `shown_where` says of fields that make sense with some choices only which field is chosen in, and what; a script
    then shows them there, and does not send them elsewhere.
    """

    shown_where: Mapping[str, tuple[str, tuple[str, ...]]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"label_suffix": ""} | kwargs)

    def _post_clean(self) -> None:
        """Refuse control characters in what was typed; only a text area may have lines."""
        super()._post_clean()  # type: ignore[misc]
        for name, value in list(self.cleaned_data.items()):
            field = self.fields.get(name)  # none for what a form puts together of several
            lines = field is None or isinstance(field.widget, forms.Textarea)
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and (found := refused_character(text, lines=lines)):
                    refusal = forms.ValidationError(refusal_of(found), code=TextInvalid.code)
                    self.add_error(name if field else None, refusal)
                    break


@dataclass(frozen=True, slots=True)
class Done:
    """Where a finished form leads, and what is said there."""

    where: str
    said: str


@dataclass(frozen=True, slots=True)
class Action:
    """A form page: what it is called, what its button says, and what it does with what was filled in.

    `work` and `preview` get the form's values and raise `REFUSALS`; `preview` answers more context for the page and
    changes nothing. Work that is safe to do twice by itself says `once=False`.
    """

    title: str
    submit: str
    work: Callable[[dict[str, Any]], Done]
    crumbs: tuple[tuple[str, str], ...] = ()
    about: str = ""
    danger: bool = False
    once: bool = True
    preview: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    template: str = "console/form.html"


def posted(request: Any) -> Any:
    """What was sent, also where it is nothing but a button; None for a form that is only looked at."""
    return request.POST if request.method == "POST" else None


def token_of(request: Any) -> str:
    """The token of the form that is shown: the one that came with it, or a new one."""
    sent = request.POST.get(ONCE, "")
    return sent if 1 <= len(sent) <= 64 and "\x00" not in sent else secrets.token_urlsafe(18)


def form_page(
    request: Any, form: forms.Form, action: Action, context: Mapping[str, Any] | None = None
) -> HttpResponseBase:
    """The page of a form; sent, the form is checked and done, and what is wrong is said at its field.

    With a button named `preview` nothing is done: the page says what would be.
    """
    status = 200
    shown: dict[str, Any] = {"form": form, "action": action, "form_token": token_of(request), **(context or {})}
    if request.method == "POST" and form.is_valid():
        try:
            if action.preview and "preview" in request.POST:
                shown |= {"previewed": True, **action.preview(form.cleaned_data)}
            else:
                return do_once(request, lambda: action.work(form.cleaned_data), once=action.once)
        except REFUSALS as error:
            say_problems(form, error)
            status = 409 if isinstance(error, ConflictError) else 422
    if form.errors and status == 200:
        status = 422
    return render(request, action.template, shown, status=status)


def do_once(request: Any, work: Callable[[], Done], *, once: bool = True) -> HttpResponseBase:
    """Do `work` unless the form with this token was done before, and go where it leads."""
    token = request.POST.get(ONCE, "")
    if not once or not token:
        done, again = work(), False
    else:
        if len(token) > 64 or "\x00" in token:
            raise InvalidError("This form was not made here", code="form_token_invalid")
        answer, again = done_once(
            organization_id=request.access.organization.pk,
            key=f"form:{request.user.pk}:{token}",
            work=lambda: json.dumps([(found := work()).where, found.said]),
        )
        done = Done(*json.loads(answer))
    if again:
        messages.info(request, f"{done.said} The form came twice; it was done once.")
    else:
        messages.success(request, done.said)
    return redirect(done.where)


def say_problems(form: forms.Form, error: Any, names: Mapping[str, str] | None = None) -> None:
    """Put what a service refused at the field it is about, or at the top. `names` maps its names to the form's."""
    if not error.errors:
        form.add_error(None, error.detail)
    for fault in error.errors:
        name = fault.pointer.strip("/").split("/")[0]
        name = (names or {}).get(name, name)
        form.add_error(name if name in form.fields else None, fault.detail)
