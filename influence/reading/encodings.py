"""Which encoding a text file is in. Unicode says so itself; any other is a guess, which a person has to confirm.

A guess is judged by what it makes of the words that are not ASCII: letters of one script, small ones after the first, and
characters that schools teach speak for it; control characters, symbols, mixed scripts and words of accents only against it.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable
from functools import cache
from typing import BinaryIO

from influence.errors import DataError, EncodingUnsure
from influence.reading.form import ENCODINGS

BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"), (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF8, "utf-8"),
)  # fmt: skip
CHUNK = 1 << 20
SAMPLE_LINES, SHOWN_LINES, SHOWN = 200, 5, 120
OFFERED = 6
LETTERS = re.compile(r"[^\W\d_]+")
# First bytes of the characters that schools teach, kana and Hangul among them: in another's encoding most are rarer ones.
TAUGHT = {"gb2312": range(0xB0, 0xD8), "euc_jp": [*range(0xA4, 0xA6), *range(0xB0, 0xD0)], "euc_kr": range(0xB0, 0xC9)}
TAUGHT |= {"big5": range(0xA4, 0xC7)}
COMMON = set("àâäáãåæçèéêëíîïñóôöõøœúûüßÀÂÄÁÅÆÇÈÉÊËÍÎÓÔÖØŒÚÛÜ“”‘’–—…€£°«»¡¿§·•™®© ")


def find_encoding(open_bytes: Callable[[], BinaryIO], source: str, given: str | None) -> str:
    """The encoding of a file. One that is given counts for a file that does not show itself to be Unicode.

    Raises `EncodingUnsure`, with the likely ones and what each makes of the first such lines, where none was given, and
    `DataError` where the text is not in the given one.
    """
    with open_bytes() as opened:
        start = opened.read(4096)
    for mark, encoding in BOMS:
        if start.startswith(mark):
            _check(open_bytes, source, encoding)
            return encoding
    if (wide := _wide(start)) is not None and given is None:
        _check(open_bytes, source, wide)
        return wide
    fits, ascii_only = _is_utf8(open_bytes)
    if fits and (given is None or not ascii_only):
        return "utf-8"
    if given is not None:
        _check(open_bytes, source, given)
        return given
    raise _unsure(open_bytes, source)


def _wide(start: bytes) -> str | None:
    """UTF-16 without a mark: in most languages every other byte of its spaces, digits and delimiters is 0."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    half = len(start) // 2
    if half >= 4 and max(even, odd) > 0.3 * half and min(even, odd) < 0.05 * half:
        return "utf-16-le" if odd > even else "utf-16-be"
    return None


def _is_utf8(open_bytes: Callable[[], BinaryIO]) -> tuple[bool, bool]:
    """Whether the file is UTF-8, and whether it is ASCII."""
    decoder, ascii_only = codecs.getincrementaldecoder("utf-8")(), True
    with open_bytes() as opened:
        try:
            while chunk := opened.read(CHUNK):
                ascii_only = ascii_only and chunk.isascii()
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False, False
    return True, ascii_only


def _check(open_bytes: Callable[[], BinaryIO], source: str, encoding: str) -> None:
    """Raise `DataError` with the line where the file is not in this encoding."""
    decoder, lines = codecs.getincrementaldecoder(encoding)(), 1
    with open_bytes() as opened:
        try:
            while chunk := opened.read(CHUNK):
                lines += decoder.decode(chunk).count("\n")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            # Of this chunk, what stands before the fault.
            lines += error.object[: error.start].decode(encoding, "replace").count("\n")
            raise DataError(
                f"{source!r} line {lines}: the text is not {encoding} (byte {error.object[error.start]:#04x}); save the file as "
                "UTF-8, or say what it is with --encoding"
            ) from error


def _unsure(open_bytes: Callable[[], BinaryIO], source: str) -> EncodingUnsure:
    found: list[tuple[int, bytes]] = []
    with open_bytes() as opened:
        number = 0
        while (line := opened.readline(CHUNK)) and len(found) < SAMPLE_LINES:
            number += 1
            if not line.isascii():
                found.append((number, line.rstrip(b"\r\n")[:CHUNK]))
    scored = []
    for place, encoding in enumerate(ENCODINGS):
        try:
            texts = [line.decode(encoding) for _, line in found]
        except UnicodeDecodeError:
            continue
        scored.append((-_sense("\n".join(texts)[:20_000]), place, encoding, texts))
    scored.sort()
    offered = {
        encoding: [(number, _around(text)) for (number, _), text in zip(found[:SHOWN_LINES], texts, strict=False)]
        for _, _, encoding, texts in scored[:OFFERED]
    }
    best = next(iter(offered), "windows-1252")
    seen = "; ".join(f"line {number}: {text!r}" for number, text in offered.get(best, [])[:2])
    return EncodingUnsure(
        f"{source!r} is not UTF-8 text. It may be {best}: {seen}. If that reads right, add --encoding {best}; else say which, "
        f"or save it as UTF-8",
        offered,
    )


def _around(text: str) -> str:
    """The part of a line about its first letter that is not ASCII."""
    first = next((at for at, letter in enumerate(text) if not letter.isascii()), 0)
    start = max(0, first - SHOWN // 2)
    return ("…" if start else "") + text[start : start + SHOWN] + ("…" if start + SHOWN < len(text) else "")


def _sense(text: str) -> float:
    """How much like words a text looks, 1 a character that is not ASCII at best."""
    strange = [character for character in text if not character.isascii()]
    score = sum(map(_likely, strange))
    for word in LETTERS.findall(text):
        count = sum(not letter.isascii() for letter in word)
        if count:
            scripts = {_script(letter) for letter in word}
            cased = word.islower() or word.isupper() or word.istitle() or word.lower() == word.upper()
            all_accents = scripts == {"LATIN"} and len(word) > 2 and 2 * count > len(word)
            score += count * ((0.6 if len(scripts) == 1 else -2) - (0 if cased else 1) - (1 if all_accents else 0))
    return score / max(len(strange), 1)


@cache
def _likely(character: str) -> float:
    """What a character by itself speaks for."""
    kind, script = unicodedata.category(character), _script(character)
    if kind in ("Cc", "Cn", "Co", "Cs"):
        return -3
    if script in ("EASTERN", "HANGUL"):
        taught = any(_lead(character, encoding) in common for encoding, common in TAUGHT.items())
        return (0.5 if script == "HANGUL" else 0.4) if taught else -0.6  # common Chinese, misread, is not all Hangul
    return 0.4 if character in COMMON else 0 if kind[0] == "L" else -0.5


def _lead(character: str, encoding: str) -> int:
    found = character.encode(encoding, "ignore")
    return found[0] if len(found) > 1 else 0


@cache
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").partition(" ")[0]
    return "EASTERN" if name in ("HIRAGANA", "KATAKANA", "CJK", "KATAKANA-HIRAGANA") else name
