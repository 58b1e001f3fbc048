"""The outer messages of an OTLP request with their spans left as bytes.

Read whole, a few megabytes of empty spans become gigabytes of messages. So the spans are counted first, and
then read one at a time. The field numbers are those of `opentelemetry/proto/collector/trace/v1`.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto


def _request_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="otlp_envelope.proto", package="envelope", syntax="proto3")
    _add(file, "Request", ("groups", 1, ".envelope.Group", True))
    _add(file, "Group", ("resource", 1, None, False), ("scopes", 2, ".envelope.Scope", True))
    _add(file, "Scope", ("spans", 2, None, True))
    # A pool of its own: the names are no part of what other protobuf code of the process sees.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("envelope.Request"))


def _add(file: descriptor_pb2.FileDescriptorProto, message: str, *fields: tuple[str, int, str | None, bool]) -> None:
    """A message with `fields`: name, number, message type (None: bytes), repeated or not."""
    added = file.message_type.add(name=message)
    for name, number, type_name, repeated in fields:
        added.field.add(
            name=name,
            number=number,
            type=_Field.TYPE_MESSAGE if type_name else _Field.TYPE_BYTES,
            type_name=type_name,
            label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
        )


#: `groups` of `resource` (bytes) and `scopes` of `spans` (bytes).
Request = _request_class()
