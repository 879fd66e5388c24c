"""Remote read as a client sees it: requests, and the messages of both forms of an answer."""

import pyarrow

from .http import Answer, call
from .protobuf import message, number

HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Read-Version": "0.1.0"}
SAMPLES, CHUNKS = range(2)
EQUAL, NOT_EQUAL, REGEX, NOT_REGEX = range(4)


def matcher(name: str, value: str, kind: int = EQUAL) -> bytes:
    return message(3, number(1, kind), message(2, name.encode()), message(3, value.encode()))


def query(start_ms: int, end_ms: int, *matchers: bytes, function: str = "") -> bytes:
    hints = message(4, message(2, function.encode()), number(3, start_ms), number(4, end_ms)) if function else b""
    return message(1, number(1, start_ms), number(2, end_ms), *matchers, hints)


def snappy(plain: bytes) -> bytes:
    return pyarrow.compress(plain, codec="snappy", asbytes=True)


def read(base: str, *queries: bytes, accepted: tuple = (SAMPLES,)) -> Answer:
    return post(base, snappy(b"".join([*queries, *(number(2, form) for form in accepted)])))


def post(base: str, body: bytes, method: str = "POST") -> Answer:
    return call(base, method, "/api/v1/read", body, HEADERS)


def fields(body: bytes) -> list:
    """The numbers and values of a message's fields."""
    found, at = [], 0
    while at < len(body):
        key, at = varint(body, at)
        match key & 7:
            case 0:
                value, at = varint(body, at)
            case 1:
                value, at = body[at : at + 8], at + 8
            case 2:
                length, at = varint(body, at)
                value, at = body[at : at + length], at + length
            case other:
                raise ValueError(f"a field of kind {other}")
        found.append((key >> 3, value))
    return found


def varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = body[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def labels(series: bytes) -> dict:
    pairs = [dict(fields(value)) for tag, value in fields(series) if tag == 1]
    return {pair[1].decode(): pair[2].decode() for pair in pairs}


def samples(answer: Answer) -> list:
    """For each query the series as they are sent."""
    assert answer.status == 200, answer
    assert (answer.headers["content-type"], answer.headers["content-encoding"]) == ("application/x-protobuf", "snappy")
    length, _ = varint(answer.body, 0)
    results = fields(pyarrow.decompress(answer.body, decompressed_size=length, codec="snappy", asbytes=True))
    return [[series for _, series in fields(result)] for _, result in results]


def frames(answer: Answer) -> list:
    """The index of a query, and a series as it is sent, of each frame."""
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse"
    found, at, body = [], 0, answer.body
    while at < len(body):
        length, at = varint(body, at)
        checksum, frame = int.from_bytes(body[at : at + 4]), body[at + 4 : at + 4 + length]
        assert checksum == castagnoli(frame)
        at += 4 + length
        parts = fields(frame)
        assert [tag for tag, _ in parts] in ([1], [1, 2])
        found.append((parts[1][1] if len(parts) > 1 else 0, parts[0][1]))
    return found


def chunks(series: bytes) -> list:
    """First and last time, encoding and bytes of each chunk."""
    found = [dict(fields(value)) for tag, value in fields(series) if tag == 2]
    return [(chunk.get(1, 0), chunk.get(2, 0), chunk.get(3, 0), chunk[4]) for chunk in found]


def table() -> list:
    rest = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        rest.append(byte)
    return rest


TABLE = table()


def castagnoli(data: bytes) -> int:
    """CRC-32C."""
    rest = 0xFFFFFFFF
    for byte in data:
        rest = rest >> 8 ^ TABLE[(rest ^ byte) & 255]
    return rest ^ 0xFFFFFFFF
