"""Files that go with mail. The rooms that make them register how; a mail's context names them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file: its name, its media type such as `application/pdf`, its bytes."""

    name: str
    media_type: str
    content: bytes


#: Makes the file of an organization (its integer id) for a reference, such as an invoice's id; None for none.
Render = Callable[[int, str], Attachment | None]

_renders: dict[str, Render] = {}


def register_attachment(kind: str, render: Render) -> None:
    """From now on mail whose context holds `{"attachments": [{"kind": kind, "id": reference}]}` carries what `render`
    makes of it, when it is sent. An unregistered kind is left out."""
    _renders[kind] = render


def is_attachable(kind: str) -> bool:
    return kind in _renders


def render_attachments(organization_id: int, wanted: object) -> list[Attachment]:
    """The files that a mail's context names."""
    named = [one for one in wanted if isinstance(one, dict)] if isinstance(wanted, list) else []
    made = [
        _renders[str(one["kind"])](organization_id, str(one["id"])) for one in named if is_attachable(str(one["kind"]))
    ]
    return [one for one in made if one is not None]
