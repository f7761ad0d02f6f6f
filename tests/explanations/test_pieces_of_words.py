"""The pieces of words: those of the index, and which of them two words share."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from influence import Influence, Match, Sentence, Word, Workspace, explain, open_workspace
from influence.explanations import sentences, word_pieces
from influence.explanations.pieces import WordPieces, opened_pieces


@pytest.fixture(scope="module", params=["workspace", "pair_workspace"])
def opened(request: pytest.FixtureRequest) -> Workspace:
    return open_workspace(request.getfixturevalue(request.param))


def typed(text: str) -> Sentence:
    words, at = [], 0
    for word in text.split(" "):
        words.append(Word(word, at, at + len(word), 0))
        at += len(word) + 1
    return Sentence(None, text, None, "", "", {}, words, False)


def test_the_pieces_are_the_tokens_of_the_index(opened: Workspace) -> None:
    encoding, pieces = opened.index.encoding, word_pieces(opened)
    for position, sentence in sentences(opened, "train", range(40)).items():
        rows = slice(encoding.offsets_N1[position], encoding.offsets_N1[position + 1])
        expected = encoding.tokens_R[rows][~encoding.special_R[rows]].tolist()
        assert [token for word in range(len(sentence.words)) for token, *_ in pieces.of(sentence, word)] == expected


def test_what_matches_holds_a_shared_piece(opened: Workspace) -> None:
    """And the part of a word that is lit is never the whole word, nor nothing."""
    pieces = word_pieces(opened)
    found = explain(opened, test_id=opened.store.first_id("test"), method="tracin-we", top=40)
    for one in [*found.proponents, *found.opponents]:
        for match in one.matches:
            ours, theirs = pieces.of(found.query, match.test_word), pieces.of(one.train, match.train_word)
            assert {token for token, *_ in ours} & {token for token, *_ in theirs} or one.train.words[match.train_word].side < 0
        for sentence, parts in zip((found.query, one.train), pieces.shared(found.query, one), strict=True):
            for word, spans in parts.items():
                whole = sentence.words[word]
                assert 0 < sum(end - start for start, end in spans) < whole.end - whole.start
                assert all(whole.start <= start < end <= whole.end for start, end in spans)


def test_words_that_share_a_piece_share_no_more() -> None:
    # "gooding" is "good" and "ing", and meets "good" in its first four letters.
    tokenizer = Tokenizer(WordPiece({"[UNK]": 0, "good": 1, "##ing": 2, "bad": 3, "##ly": 4, "read": 5}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    pieces = WordPieces(tokenizer, np.zeros(6, dtype=bool))

    def shared(one: str, other: str, *pairs: tuple[int, int]) -> tuple[list[list[str]], list[list[str]]]:
        query, train = typed(one), typed(other)
        influence = Influence(train, 0.0, [], 0.0, [Match(first, second, 0.0) for first, second in pairs])
        found = pieces.shared(query, influence)
        return tuple(  # type: ignore[return-value]
            [[sentence.text[start:end] for start, end in spans] for spans in parts.values()]
            for sentence, parts in zip((query, train), found, strict=True)
        )

    assert shared("a good read", "gooding bad", (1, 0)) == ([], [["good"]])
    assert shared("reading", "bading", (0, 0)) == ([["ing"]], [["ing"]])
    assert shared("gooding", "gooding", (0, 0)) == ([], [])
    assert shared("good", "bad", (0, 0)) == ([], [])  # alike, not the same: no piece is shared
    several = [Influence(typed(text), 0.0, [], 0.0, [Match(0, 0, 0.0)]) for text in ("good", "badly", "read")]
    assert pieces.shared_by(typed("goodly"), several[:1]) == {0: ((0, 4),)}
    assert pieces.shared_by(typed("goodly"), several[:2]) == {}  # one piece each, together the word
    assert shared("goodly reading", "good reading", (0, 0), (1, 1)) == ([["good"]], [])


def test_a_workspace_without_its_tokenizer_has_no_pieces(tmp_path: Path) -> None:
    pieces, sentence = opened_pieces(tmp_path), typed("a good film")
    assert pieces.of(sentence, 1) == []
    assert pieces.shared(sentence, Influence(sentence, 1.0, [1.0], 0.0, [Match(1, 1, 1.0)])) == ({}, {})
    assert not pieces.says_little(sentence, 0)


def test_stop_words_and_punctuation_say_little(opened: Workspace) -> None:
    sentence = sentences(opened, "train", [0])[0]
    pieces = word_pieces(opened)
    for index, word in enumerate(sentence.words):
        if word.side >= 0:
            assert pieces.says_little(sentence, index) == (word.text in ("the", "a", "of", "and", "is", "was", "very", "so"))
        else:
            assert not pieces.says_little(sentence, index)
