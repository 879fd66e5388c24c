"""Samples as a sender of remote write 1.0 sends them."""

import struct

import pyarrow

from . import protobuf
from .http import Answer, call

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
STALE = struct.unpack("<d", bytes.fromhex("020000000000f07f"))[0]


def body(series: list[tuple[dict, list[tuple[int, float]]]]) -> bytes:
    """A request: label sets, each with its samples, which are pairs of milliseconds and value."""
    parts = []
    for labels, samples in series:
        pairs = [protobuf.message(1, protobuf.message(1, k.encode()), protobuf.message(2, v.encode())) for k, v in sorted(labels.items())]
        points = [protobuf.message(2, protobuf.double(1, value), protobuf.number(2, at_ms)) for at_ms, value in samples]
        parts.append(protobuf.message(1, *pairs, *points))
    return pyarrow.compress(b"".join(parts), codec="snappy", asbytes=True)


def write(base: str, series: list) -> Answer:
    return call(base, "POST", "/api/v1/write", body(series), HEADERS)
