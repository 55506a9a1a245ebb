"""The messages of KEDA's externalscaler.proto, built without a code generator.

https://github.com/kedacore/keda/blob/main/pkg/scalers/externalscaler/externalscaler.proto
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

PACKAGE: Final = "externalscaler"
SERVICE: Final = f"{PACKAGE}.ExternalScaler"
_SCALARS: Final = {
    "string": FieldDescriptorProto.TYPE_STRING,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "double": FieldDescriptorProto.TYPE_DOUBLE,
}
_MESSAGES: Final[Mapping[str, Mapping[str, str]]] = {
    "ScaledObjectRef": {"name": "string", "namespace": "string", "scalerMetadata": "map"},
    "IsActiveResponse": {"result": "bool"},
    "MetricSpec": {"metricName": "string", "targetSize": "int64", "targetSizeFloat": "double"},
    "GetMetricSpecResponse": {"metricSpecs": "repeated MetricSpec"},
    "GetMetricsRequest": {"scaledObjectRef": "ScaledObjectRef", "metricName": "string"},
    "MetricValue": {"metricName": "string", "metricValue": "int64", "metricValueFloat": "double"},
    "GetMetricsResponse": {"metricValues": "repeated MetricValue"},
}
"""The fields of each message in the order of their numbers, which begin with 1."""
_MAP_ENTRY: Final = "ScalerMetadataEntry"


def _file() -> FileDescriptorProto:
    file = FileDescriptorProto(name="externalscaler.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            _add_field(message, field, kind, number)
    return file


def _add_field(message: DescriptorProto, name: str, kind: str, number: int) -> None:
    field = message.field.add(name=name, number=number, label=FieldDescriptorProto.LABEL_OPTIONAL)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    field.type = FieldDescriptorProto.TYPE_MESSAGE
    if kind == "map":
        entry = message.nested_type.add(name=_MAP_ENTRY)
        entry.options.map_entry = True
        _add_field(entry, "key", "string", 1)
        _add_field(entry, "value", "string", 2)
        field.label = FieldDescriptorProto.LABEL_REPEATED
        field.type_name = f".{PACKAGE}.{message.name}.{_MAP_ENTRY}"
        return
    if kind.startswith("repeated "):
        field.label = FieldDescriptorProto.LABEL_REPEATED
    field.type_name = f".{PACKAGE}.{kind.rpartition(' ')[2]}"


_POOL: Final = descriptor_pool.DescriptorPool()
_POOL.Add(_file())


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


ScaledObjectRef: Final = _message("ScaledObjectRef")
IsActiveResponse: Final = _message("IsActiveResponse")
MetricSpec: Final = _message("MetricSpec")
GetMetricSpecResponse: Final = _message("GetMetricSpecResponse")
GetMetricsRequest: Final = _message("GetMetricsRequest")
MetricValue: Final = _message("MetricValue")
GetMetricsResponse: Final = _message("GetMetricsResponse")
