"""Which part of a word a score goes through: tokenizers cut words into pieces, and two words may share no more than one.

Word methods match tokens, so "masterpiece" in one text meets "masterpieces" in another, and "unreachable" may meet
"inexplicable" in "ble" alone. Whoever lights the whole word then claims more than was compared.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from influence.errors import WordtraceError
from influence.explanations.explanation import Influence, Sentence
from influence.files import load_array
from influence.guarded import guarded
from influence.types import BoolArray
from influence.workspace import WorkspaceReader

Spans = tuple[tuple[int, int], ...]  # characters of a text: from, to
Piece = tuple[int, int, int]  # a token, and its characters
KEPT = 1_024  # texts


class WordPieces:
    """The pieces that a tokenizer cuts words into; none where there is no tokenizer. `common_V`: tokens that say little."""

    def __init__(self, tokenizer: Tokenizer | None, common_V: BoolArray) -> None:
        self._tokenizer, self._common_V = tokenizer, common_V
        self._cut = lru_cache(maxsize=KEPT)(self._encoded)

    def of(self, sentence: Sentence, word: int) -> list[Piece]:
        """The pieces of a word; none of a start or end token."""
        found = sentence.words[word]
        if found.side < 0:
            return []
        text = sentence.text if found.side == 0 else sentence.text_pair or ""
        read = text[: max(one.end for one in sentence.words if one.side == found.side)]
        return [piece for piece in self._cut(read) if piece[1] < found.end and piece[2] > found.start]

    def shared(self, query: Sentence, influence: Influence) -> tuple[dict[int, Spans], dict[int, Spans]]:
        """Of the words that meet in a part only, the characters of that part: the query's words, and the example's."""
        met = self._met(query, influence)
        return self._partial(query, met[0]), self._partial(influence.train, met[1])

    def shared_by(self, query: Sentence, influences: Iterable[Influence]) -> dict[int, Spans]:
        """Of the query's words that meet some examples in a part only, all such parts."""
        all_met: dict[int, set[Piece]] = {}
        for influence in influences:
            for word, pieces in self._met(query, influence)[0].items():
                all_met.setdefault(word, set()).update(pieces)
        return self._partial(query, all_met)

    def says_little(self, sentence: Sentence, word: int) -> bool:
        """Whether a word is a stop word (English) or punctuation, piece by piece."""
        pieces = self.of(sentence, word)
        return bool(pieces) and all(token < len(self._common_V) and self._common_V[token] for token, *_ in pieces)

    def _met(self, query: Sentence, influence: Influence) -> tuple[dict[int, set[Piece]], dict[int, set[Piece]]]:
        """The pieces that matched words have in common: all of a word's where none is, as of words matched by likeness."""
        met: tuple[dict[int, set[Piece]], dict[int, set[Piece]]] = ({}, {})
        for match in influence.matches:
            both = self.of(query, match.test_word), self.of(influence.train, match.train_word)
            tokens = {token for token, *_ in both[0]} & {token for token, *_ in both[1]}
            for found, word, pieces in zip(met, (match.test_word, match.train_word), both, strict=True):
                found.setdefault(word, set()).update(piece for piece in pieces if not tokens or piece[0] in tokens)
        return met

    def _partial(self, sentence: Sentence, parts: dict[int, set[Piece]]) -> dict[int, Spans]:
        return {word: _joined(part) for word, part in parts.items() if len(part) < len(self.of(sentence, word))}

    def _encoded(self, text: str) -> list[Piece]:
        tokenizer = self._tokenizer
        if tokenizer is None:
            return []
        try:
            cut = guarded("tokenizer", lambda: tokenizer.encode(text, add_special_tokens=False), done="used on this text")
        except WordtraceError:
            return []
        return [
            (token, start + len(piece) - len(piece.lstrip()), end)
            for token, (start, end) in zip(cut.ids, cut.offsets, strict=True)
            if (piece := text[start:end]).strip()
        ]


@lru_cache(maxsize=8)
def opened_pieces(build: Path) -> WordPieces:
    """The pieces of a build's words; no word has any where its tokenizer cannot be read."""
    file = build / "checkpoints" / "tokenizer" / "tokenizer.json"
    try:
        tokenizer: Tokenizer = guarded("tokenizer", lambda: Tokenizer.from_file(str(file)))
        tokenizer.encode_special_tokens = True  # "[SEP]" in a text is text
        return WordPieces(tokenizer, load_array(build / "index" / "common_tokens.npy"))
    except WordtraceError:
        return WordPieces(None, np.zeros(0, dtype=np.bool_))


def word_pieces(workspace: WorkspaceReader) -> WordPieces:
    """The pieces of a workspace's words."""
    return opened_pieces(workspace.build)


def _joined(pieces: Iterable[Piece]) -> Spans:
    """The characters of some pieces, neighbours made one."""
    spans: list[tuple[int, int]] = []
    for _, start, end in sorted(pieces, key=lambda piece: piece[1:]):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return tuple(spans)
