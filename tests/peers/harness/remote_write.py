"""Samples and native histograms as a sender of remote write 1.0 sends them."""

import struct
from dataclasses import dataclass, field

import pyarrow

from .http import Answer, call
from .protobuf import double, message, number

HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
STALE = struct.unpack("<d", bytes.fromhex("020000000000f07f"))[0]
UNKNOWN, RESET, NOT_RESET, GAUGE = range(4)


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
    return message(4, double(2, 0.0), double(3, STALE), number(15, at_ms))


def sample(at_ms: int, value: float | None) -> bytes:
    """A float; `None` ends the series."""
    return message(2, double(1, STALE if value is None else value), number(2, at_ms))


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


def body(series: list[tuple[dict, list]]) -> bytes:
    """A request: label sets, each with its points, which are encoded or pairs of milliseconds and value."""
    parts = []
    for labels, points in series:
        pairs = [message(1, message(1, k.encode()), message(2, v.encode())) for k, v in sorted(labels.items())]
        encoded = [point if isinstance(point, bytes) else sample(*point) for point in points]
        parts.append(message(1, *pairs, *encoded))
    return pyarrow.compress(b"".join(parts), codec="snappy", asbytes=True)


def write(base: str, series: list) -> Answer:
    return call(base, "POST", "/api/v1/write", body(series), HEADERS)
