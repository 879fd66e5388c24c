"""Delimited `io.prometheus.client.MetricFamily` messages, as Go's client writes them. Just enough of protobuf for that."""

import struct

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM = range(5)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def number(tag: int, value: int) -> bytes:
    return varint(tag << 3) + varint(value)


def double(tag: int, value: float) -> bytes:
    return varint(tag << 3 | 1) + struct.pack("<d", value)


def message(tag: int, *fields: bytes) -> bytes:
    body = b"".join(fields)
    return varint(tag << 3 | 2) + varint(len(body)) + body


def labels(pairs: dict) -> bytes:
    return b"".join(message(1, message(1, name.encode()), message(2, value.encode())) for name, value in sorted(pairs.items()))


def counter(value: float, **pairs: str) -> bytes:
    return message(4, labels(pairs), message(3, double(1, value)))


def gauge(value: float, **pairs: str) -> bytes:
    return message(4, labels(pairs), message(2, double(1, value)))


def histogram(count: int, total: float, buckets: list, **pairs: str) -> bytes:
    """`buckets` are pairs of an upper bound and a cumulative count; +Inf is left out, as Go does."""
    parts = [message(3, number(1, held), double(2, bound)) for bound, held in buckets]
    return message(4, labels(pairs), message(7, number(1, count), double(2, total), *parts))


def family(name: str, kind: int, *metrics: bytes, help: str = "") -> bytes:
    body = message(1, name.encode()) + message(2, help.encode()) + number(3, kind) + b"".join(metrics)
    return varint(len(body)) + body
