"""The messages of an OTLP request, each read only as far as it is needed.

Read whole, a few megabytes of empty spans become gigabytes of messages, and one attribute that is nested too deeply
makes a request unreadable. So spans and the values of their attributes are left as bytes: spans are counted first and
then read one at a time, and of the values only those that some field is taken from. The field numbers are those of
`opentelemetry/proto/{collector/trace,collector/logs,trace,logs,resource,common}/v1`.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto

#: name, number, type (of protobuf, or the name of a message), repeated or not
_Shape = tuple[str, int, "int | str", bool]

_BYTES, _STRING = _Field.TYPE_BYTES, _Field.TYPE_STRING

_MESSAGES: dict[str, tuple[_Shape, ...]] = {
    "Request": (("groups", 1, "Group", True),),
    "Group": (("resource", 1, "Resource", False), ("scopes", 2, "Scope", True)),
    "Scope": (("spans", 2, _BYTES, True),),
    "Resource": (("attributes", 1, "Attribute", True),),
    "Attribute": (("key", 1, _STRING, False), ("value", 2, _BYTES, False)),
    "Span": (
        ("trace_id", 1, _BYTES, False),
        ("span_id", 2, _BYTES, False),
        ("parent_span_id", 4, _BYTES, False),
        ("name", 5, _STRING, False),
        ("start_time_unix_nano", 7, _Field.TYPE_FIXED64, False),
        ("end_time_unix_nano", 8, _Field.TYPE_FIXED64, False),
        ("attributes", 9, "Attribute", True),
        ("status", 15, "Status", False),
    ),
    "Record": (
        ("time_unix_nano", 1, _Field.TYPE_FIXED64, False),
        ("body", 5, _BYTES, False),
        ("attributes", 6, "Attribute", True),
        ("trace_id", 9, _BYTES, False),
        ("span_id", 10, _BYTES, False),
        ("observed_time_unix_nano", 11, _Field.TYPE_FIXED64, False),
        ("event_name", 12, _STRING, False),
    ),
    "Status": (("code", 3, _Field.TYPE_INT32, False),),
}


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="otlp_envelope.proto", package="envelope", syntax="proto3")
    for message, shapes in _MESSAGES.items():
        added = file.message_type.add(name=message)
        for name, number, kind, repeated in shapes:
            added.field.add(
                name=name,
                number=number,
                type=_Field.TYPE_MESSAGE if isinstance(kind, str) else kind,
                type_name=f".envelope.{kind}" if isinstance(kind, str) else None,
                label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL,
            )
    # A pool of its own: the names are no part of what other protobuf code of the process sees.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"envelope.{name}")) for name in _MESSAGES}


_classes = _message_classes()

#: `groups`, each of a `resource` and `scopes` of `spans` (bytes).
Request = _classes["Request"]
#: A log record; requests for logs have their records where those for traces have their spans.
Record = _classes["Record"]
#: A span with its `attributes`: `key` and `value`, the bytes of an `AnyValue`.
Span = _classes["Span"]
