"""Values of events that are not kept as they were sent: subjects of merged customers, and personal fields.

Both are decided after an event's content hash is made, so that the same event sent again is a duplicate. For an
organization that has neither, a look into this process's memory is all that this costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from accounts.facade import KeyPurpose, privacy_policy_of, sealers
from accounts.facade import Sealer as Seal
from metering.decoding import LogRow
from metering.models import MeterVersion, SubjectAlias
from metering.stream.kept import Kept

#: A tree of names: {"user": {"email": None}} is `data.user.email`.
Tree = dict[str, Any]

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder()
_value = msgspec.json.Decoder()

#: Holder of the key of events without a subject.
NO_SUBJECT = ""


@dataclass(frozen=True, slots=True)
class Protection:
    """How an organization's events are kept: the target of each merged subject, personal fields by type of event."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, Tree] = field(default_factory=dict)

    def tree(self, event_type: str) -> Tree | None:
        """Personal fields of this type, those of every type among them; None for none."""
        return self.fields.get(event_type, self.fields.get("*"))


#: Believed for a second, as each request asks.
_kept: Kept[Protection] = Kept(seconds=1.0)


def protection_of(organization_id: int) -> Protection:
    """The organization's aliases and personal fields, at most a second old."""
    if (known := _kept.get(organization_id)) is not None:
        return known
    aliases = SubjectAlias.objects.filter(organization_id=organization_id).values_list("subject", "target")
    fields = privacy_policy_of(organization_id).personal_fields
    return _kept.keep(organization_id, Protection(dict(aliases), _trees(fields)))


def forget_protection(organization_id: int) -> None:
    """To be called when one of the two has changed."""
    _kept.forget(organization_id)


def protected(organization_id: int, rows: list[LogRow]) -> list[LogRow]:
    """`rows` with the subjects of merged customers replaced and personal fields encrypted under the key of the subject
    that was sent."""
    how = protection_of(organization_id)
    if not how.aliases and not how.fields:
        return rows
    personal = {index: tree for index, row in enumerate(rows) if (tree := how.tree(row.event.type))}
    holders = {rows[index].event.subject or NO_SUBJECT for index in personal}
    seals = sealers(organization_id=organization_id, purpose=KeyPurpose.EVENTS, holders=holders) if holders else {}
    return [
        _protected(row, how, personal.get(index), seals.get(row.event.subject or NO_SUBJECT))
        for index, row in enumerate(rows)
    ]


def _protected(row: LogRow, how: Protection, tree: Tree | None, seal: Seal | None) -> LogRow:
    data = row.data if tree is None or seal is None else _sealed(row.data, tree, seal)
    target = how.aliases.get(row.event.subject or NO_SUBJECT)
    event = row.event if target is None else replace(row.event, subject=target)
    return row if data is row.data and target is None else replace(row, event=event, data=data)


def _sealed(raw: bytes, tree: Tree, seal: Seal) -> bytes:
    """The JSON object `raw` with the values at the leaves of `tree` encrypted; everything else stays byte for byte."""
    parts = _object.decode(raw)
    is_changed = False
    for name, below in tree.items():
        value = bytes(parts.get(name, b""))
        if not value or value == b"null":
            continue
        if below is None:
            parts[name] = msgspec.Raw(_encoder.encode(seal(_value.decode(value))))
        elif value.lstrip()[:1] == b"{":
            parts[name] = msgspec.Raw(_sealed(value, below, seal))
        else:
            continue
        is_changed = True
    return _encoder.encode(parts) if is_changed else raw


def _trees(fields: list[dict[str, str]]) -> dict[str, Tree]:
    """Trees by type of event, each with the fields of every type in it."""
    types = {one["event_type"] for one in fields}
    trees: dict[str, Tree] = {event_type: {} for event_type in types}
    for one in fields:
        for event_type in types if one["event_type"] == "*" else (one["event_type"],):
            _grow(trees[event_type], one["path"].split(".")[1:])
    return trees


def is_personal(tree: Tree, path: str) -> bool:
    """Report if the value at `path`, such as `data.user.email`, or one around it is encrypted."""
    below: Tree | None = tree
    for name in path.split(".")[1:]:
        if name not in (below or {}):
            return False
        below = (below or {})[name]
        if below is None:
            return True
    return False


def _grow(tree: Tree, names: list[str]) -> None:
    """Add a path. One that leads through a leaf is part of it already."""
    for name in names[:-1]:
        if name in tree and tree[name] is None:
            return
        tree = tree.setdefault(name, {})
    tree[names[-1]] = None


def numeric_or_filtered_paths(organization_id: int) -> list[tuple[str, str, str]]:
    """(meter, event type, path) of each value that a meter's newest version sums or filters by."""
    versions = MeterVersion.objects.filter(meter__organization_id=organization_id).select_related("meter")
    newest = {version.meter_id: version for version in versions.order_by("number")}
    return [
        (version.meter.key, version.definition["event_type"], path)
        for version in newest.values()
        for path in read_paths(version.definition)
    ]


def read_paths(definition: Mapping[str, Any]) -> Iterator[str]:
    """The places whose very values a meter needs: what it sums, and what it filters by other than being there."""
    if definition.get("value") and definition["aggregation"] != "unique_count":
        yield str(definition["value"])
    yield from (str(one["path"]) for one in definition.get("filters") or [] if one["op"] != "exists")
