"""Sparkplug B payloads encoded by Google's protobuf from the official schema's fields."""

import pytest

pytest.importorskip("google.protobuf", reason="protobuf is not installed")
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

KIND = descriptor_pb2.FieldDescriptorProto
UINT64, UINT32, BOOL, STRING = KIND.TYPE_UINT64, KIND.TYPE_UINT32, KIND.TYPE_BOOL, KIND.TYPE_STRING
# sparkplug_b.proto of Eclipse Tahu: name, number, type
METRIC = [
    ("name", 1, STRING), ("alias", 2, UINT64), ("timestamp", 3, UINT64), ("datatype", 4, UINT32),
    ("is_historical", 5, BOOL), ("is_transient", 6, BOOL), ("is_null", 7, BOOL), ("int_value", 10, UINT32),
    ("long_value", 11, UINT64), ("float_value", 12, KIND.TYPE_FLOAT), ("double_value", 13, KIND.TYPE_DOUBLE),
    ("boolean_value", 14, BOOL), ("string_value", 15, STRING), ("bytes_value", 16, KIND.TYPE_BYTES),
]  # fmt: skip
PAYLOAD = [("timestamp", 1, UINT64), ("seq", 3, UINT64), ("uuid", 4, STRING), ("body", 5, KIND.TYPE_BYTES)]


def _schema():
    file = descriptor_pb2.FileDescriptorProto(name="sparkplug_b.proto", package="tahu", syntax="proto2")
    for name, fields in (("Metric", METRIC), ("Payload", PAYLOAD)):
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            message.field.add(name=field, number=number, type=kind, label=KIND.LABEL_OPTIONAL)
    file.message_type[1].field.add(
        name="metrics", number=2, type=KIND.TYPE_MESSAGE, type_name=".tahu.Metric", label=KIND.LABEL_REPEATED
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tahu.Payload"))


Payload = _schema()


def encode(seq=None, moment=None, metrics=()):
    """A payload; metrics are tables of the schema's fields."""
    payload = Payload()
    if seq is not None:
        payload.seq = seq
    if moment is not None:
        payload.timestamp = round(moment * 1000)
    for fields in metrics:
        payload.metrics.add(**fields)
    return payload.SerializeToString()


def double(value, name="", alias=None, moment=None, **more):
    fields = {"double_value": value, "datatype": 10, **more}
    fields |= {"name": name} if name else {}
    fields |= {"alias": alias} if alias is not None else {}
    fields |= {"timestamp": round(moment * 1000)} if moment is not None else {}
    return fields
