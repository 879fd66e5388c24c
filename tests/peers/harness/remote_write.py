"""Requests of remote write 1.0, as Prometheus sends them: floats, stale markers and native histograms."""

import struct
from dataclasses import dataclass, field

from .http import call
from .protobuf import double, message, number, varint

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0_0000_0000_0002))[0]
STALE_BITS = struct.pack("<Q", 0x7FF0_0000_0000_0002)
UNKNOWN, RESET, NOT_RESET, GAUGE = range(4)
HEADERS = {
    "content-type": "application/x-protobuf",
    "content-encoding": "snappy",
    "x-prometheus-remote-write-version": "0.1.0",
}


@dataclass
class Histogram:
    """A native histogram of float counts; `positive` and `negative` are counts by the index of their bucket."""

    sum: float
    positive: dict
    negative: dict = field(default_factory=dict)
    schema: int = 0
    zero_count: float = 0
    zero_threshold: float = 0
    hint: int = UNKNOWN
    bounds: tuple = ()

    def encode(self, at_ms: int) -> bytes:
        count = self.zero_count + sum(self.positive.values()) + sum(self.negative.values())
        parts = [double(2, count), double(3, self.sum), number(4, zigzag(self.schema)), double(5, self.zero_threshold)]
        parts += [double(7, self.zero_count)]
        parts += [*buckets(8, 10, self.negative), *buckets(11, 13, self.positive)]
        parts += [number(14, self.hint), number(15, at_ms)]
        if self.bounds:
            parts.append(message(16, doubles(self.bounds)))
        return message(4, *parts)


def stale_histogram(at_ms: int) -> bytes:
    """What ends a series of histograms."""
    return message(4, double(2, 0.0), varint(3 << 3 | 1) + STALE_BITS, number(15, at_ms))


def sample(at_ms: int, value: float | None) -> bytes:
    """A float; `None` ends the series."""
    bits = STALE_BITS if value is None else struct.pack("<d", value)
    return message(2, varint(1 << 3 | 1) + bits, number(2, at_ms))


def zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def doubles(values) -> bytes:
    return b"".join(struct.pack("<d", value) for value in values)


def buckets(spans_tag: int, counts_tag: int, counts: dict) -> list:
    """Spans of neighbouring buckets, and their counts."""
    spans, end = [], 0
    for index in sorted(counts):
        if spans and index == end:
            spans[-1][1] += 1
        else:
            spans.append([index - end, 1])
        end = index + 1
    encoded = [message(spans_tag, number(1, zigzag(offset)), number(2, length)) for offset, length in spans]
    return [*encoded, message(counts_tag, doubles(counts[index] for index in sorted(counts)))] if counts else []


def snappy(body: bytes) -> bytes:
    """One block of literals."""
    out = bytearray(varint(len(body)))
    for start in range(0, len(body), 1 << 16):
        chunk = body[start : start + (1 << 16)]
        out += bytes([61 << 2]) + struct.pack("<H", len(chunk) - 1) + chunk
    return bytes(out)


def write(url: str, series: list):
    """Sends series: pairs of labels and encoded points."""
    request = b"".join(
        message(1, *(message(1, message(1, name.encode()), message(2, value.encode())) for name, value in sorted(labels.items())), *points)
        for labels, points in series
    )
    answer = call(url, "POST", "/api/v1/write", snappy(request), HEADERS)
    assert answer.status in (200, 204), f"{answer.status} {answer.text}"
