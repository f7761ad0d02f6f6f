"""Ways to spoil bytes, JSON values and texts. Every choice comes from the generator that is passed."""

import json
import random
from collections.abc import Callable
from typing import Any

NUMBERS: list[Any] = [
    0, -1, 1, 2**31, -(2**31) - 1, 2**63, 2**64, 10**18, 10**30, 10**400, 1e300, -1e300, 1e-300, 5e-324, 0.5, -0.0,
    float("nan"), float("inf"), -float("inf"), True,
]  # fmt: skip
TEXTS = [
    "", " ", "\0", "a\0b", "\ud800", "x\udcff", "²", "１２", "٣", "nan", "NaN", "inf", "-inf", "-1", "-0", "0", "1e-300", "1e308",
    "1e999", "-1e-300", "0x10", "1_000", "9" * 25, "9" * 5000, "x" * 300, "é" * 200, "-", "--", "--help", "..", "../..", ".", "/",
    "a/b", "~", "*", "%s%n", "{0}", "\n", "\r\n", "\t", "\u202e", "\ufeff", "e\u0301", "\u200b", "😀", "None", "null", "true",
    "[]", "{}", "[" * 3000, '{"a":' * 3000, "'", '"', ";", ",", ",,,", "a,b", "cnn", "none", "auto", "=1+1", "<b>",
    "checkpoint-²", "file:///etc/passwd", "http://h.example/x", "con", "$(true)", "a" * 5000,
]  # fmt: skip


def number(rng: random.Random) -> Any:
    """A number, sensible or not."""
    return rng.choice([*NUMBERS, rng.randint(-5, 40), rng.uniform(-2, 2)])


def value(rng: random.Random, depth: int = 2) -> Any:
    """Any JSON value."""
    kind = rng.randrange(8 if depth else 5)
    if kind == 0:
        return None
    if kind in (1, 2):
        return number(rng)
    if kind in (3, 4):
        return rng.choice(TEXTS)
    if kind == 5:
        return [value(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {rng.choice(TEXTS): value(rng, depth - 1) for _ in range(rng.randrange(4))}


def places(content: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a JSON value."""
    found: list[tuple[Any, Any]] = []
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, inner in items:
        found += [(content, key), *places(inner)]
    return found


def spoiled_json(rng: random.Random, content: Any) -> Any:
    """A JSON value with one to three of its parts replaced, taken out or put elsewhere; changed in place."""
    for _ in range(rng.randint(1, 3)):
        if not (found := places(content)):
            return value(rng)
        container, key = rng.choice(found)
        way = rng.randrange(6)
        if way == 0:
            del container[key]
        elif way == 1 and isinstance(container, dict):
            container[rng.choice(TEXTS)] = container.pop(key)
        elif way == 2:
            other, name = rng.choice(found)
            try:
                container[key] = json.loads(json.dumps(other[name]))
            except (KeyError, IndexError):  # gone since it was found
                continue
        elif isinstance(container[key], int | float):
            container[key] = number(rng)
        else:
            container[key] = value(rng)
    return content


def spoiled_bytes(rng: random.Random, data: bytes) -> bytes:
    """Bytes flipped, cut, doubled, blanked or put in."""
    ways: list[Callable[[bytearray], object]] = [_flip, _cut, _put_in, _double, _blank]
    changed = bytearray(data)
    if not changed:
        return rng.randbytes(rng.randrange(1, 64))
    before = bytes(changed)
    while bytes(changed) == before:
        for way in rng.choices([lambda b, w=w: w(b, rng) for w in ways], k=rng.randint(1, 2)):  # type: ignore[misc]
            way(changed)
            if not changed:
                return b""
    return bytes(changed)


def _flip(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 1, 1, 8])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _cut(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def _put_in(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data) + 1)
    strange = [
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\r",
        b"\n\n",
        b'"',
        b"\\ud800",
        b"[" * 100_000,
        b"NaN",
        b"1e999",
    ]
    data[at:at] = rng.choice([*strange, rng.randbytes(rng.randrange(1, 40))])


def _double(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    data += data[at : at + 4096]


def _blank(data: bytearray, rng: random.Random) -> None:
    at = rng.randrange(len(data))
    stop = min(len(data), at + rng.choice([1, 16, 512]))
    data[at:stop] = bytes(stop - at)
