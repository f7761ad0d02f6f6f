"""Explore's question and its answer in sentences: by hand, for every kind of question."""

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from influence import CheckpointInfo, Explanation, Influence, Match, Sentence, Word
from influence.explanations import WordPieces
from pages.ui.explore import answer
from pages.ui.parts import explanation_board

VOCABULARY = {"[UNK]": 0, "good": 1, "##ing": 2, "film": 3, "the": 4, "dull": 5, "a": 6}


@pytest.fixture
def pieces():
    tokenizer = Tokenizer(WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    common = np.zeros(len(VOCABULARY), dtype=bool)
    common[[VOCABULARY["the"], VOCABULARY["a"]]] = True
    return WordPieces(tokenizer, common)


def sentence(text, label, predicted="neg", *, id="x"):
    words, at = [Word("[CLS]", 0, 0, -1)], 0
    for word in text.split():
        words.append(Word(word, at, at + len(word), 0))
        at += len(word) + 1
    rest = "pos" if predicted == "neg" else "neg"
    return Sentence(id, text, None, label, predicted, {predicted: 0.98, rest: 0.02}, words, False)


def pull(text, label, matches, *, id="t", predicted=None):
    """An influence through (word of the query, word of the example, score) each; word 0 is the start token."""
    special = sum(score for test, _, score in matches if test == 0)
    total = sum(score for *_, score in matches)
    found = [Match(*one) for one in matches]
    return Influence(sentence(text, label, predicted or label, id=id), total, [total], special, found)


def asked(query, label, *, proponents=(), opponents=(), method="tracin-we-topk"):
    return Explanation(query, label, method, list(proponents), list(opponents))


@pytest.mark.parametrize(
    ("given", "predicted", "label", "question"),
    [
        ("neg", "neg", "neg", "Why did it say neg?"),
        ("pos", "neg", "pos", "Why did it say neg, not pos?"),
        ("pos", "neg", "neg", "Why did it say neg?"),
        ("neg", "neg", "pos", "What speaks for pos?"),
        ("", "neg", "neg", "Why does it say neg?"),
        ("", "neg", "pos", "What speaks for pos?"),
    ],
)
def test_the_question_is_the_one_that_the_scores_answer(given, predicted, label, question):
    assert answer.question(asked(sentence("a film", given, predicted), label)) == question


@pytest.mark.parametrize(
    ("method", "question"),
    [
        ("random", "What would chance pick?"),
        ("random-same-label", "What would chance pick?"),
        ("bm25", "Which training texts are most like it?"),
        ("tfidf", "Which training texts are most like it?"),
        ("representer", "Why did it say neg, not pos?"),
    ],
)
def test_a_control_answers_a_question_of_its_own(method, question):
    assert answer.question(asked(sentence("a film", "pos"), "pos", method=method)) == question


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("pos", "The model says neg (98%); the label is pos (2%)."),
        ("neg", "The model says neg (98%), and so does the label."),
        ("", "The model says neg (98%)."),
    ],
)
def test_what_the_model_says_comes_first(given, said):
    assert answer.prediction(asked(sentence("a film", given), "neg")) == said


def test_a_wrong_prediction_is_answered_by_its_opponents(pieces):
    query = sentence("the good film", "pos")
    opponents = [pull("a good film", "neg", [(2, 2, -6.0), (3, 3, -2.0)], id="a"), pull("good", "neg", [(2, 1, -2.0)], id="b")]
    found = asked(query, "pos", opponents=opponents, proponents=[pull("the", "pos", [(1, 1, 1.0)])])
    assert answer.sentences(found, pieces, {"b": "pos"}) == [
        "What speaks against pos most is “a good film” (labelled neg), through “good” and “film”.",
        "The 2 strongest pull through “good” (80%) and “film” (20%).",
        "Suspects doubts the label of 1 of these 2.",
    ]
    assert explanation_board.answers_by_opponents(found)


def test_a_piece_of_a_word_is_called_one(pieces):
    found = asked(sentence("gooding film", "neg"), "neg", proponents=[pull("good", "neg", [(1, 1, 2.0)])])
    assert answer.sentences(found, pieces, {})[:2] == [
        "What speaks for neg most is “good” (labelled neg), through the piece “good” of “gooding”.",
        "It pulls through the piece “good” of “gooding” (100%).",
    ]


def test_common_words_are_named_last_and_said_to_say_little(pieces):
    query = sentence("the dull film", "neg")
    telling = asked(query, "neg", proponents=[pull("the dull", "neg", [(1, 1, 3.0), (2, 2, 1.0)])])
    assert answer.sentences(telling, pieces, None)[1] == "It pulls through “dull” (25%) and “the” (75%)."
    common = asked(query, "neg", proponents=[pull("the", "neg", [(1, 1, 3.0)])])
    assert "Common words like these say little about what a text means." in answer.sentences(common, pieces, None)


@pytest.mark.parametrize(
    ("special", "said"),
    [
        (0.1, None),  # of 10.1: noise
        (5.0, "33% of the pull goes through start and end tokens, which every text has."),
        (90.0, "Most of the pull, 90%, goes through start and end tokens, which every text has: words explain little."),
    ],
)
def test_what_start_and_end_tokens_carry_is_said_unless_it_is_noise(pieces, special, said):
    one = pull("dull", "neg", [(0, 0, special), (1, 1, 10.0)])
    told = [
        text for text in answer.sentences(asked(sentence("dull", "neg"), "neg", proponents=[one]), pieces, {}) if "tokens" in text
    ]
    assert told == ([said] if said else [])


def test_methods_without_words_and_controls_claim_no_more(pieces):
    query, one = sentence("dull", "neg"), Influence(sentence("dull film", "neg"), 2.0, [2.0], 0.0, [])
    said = {
        method: answer.sentences(asked(query, "neg", proponents=[one], method=method), pieces, None)
        for method in ("tracin-last", "bm25", "random")
    }
    assert said == {
        "tracin-last": ["What speaks for neg most is “dull film” (labelled neg)."],
        "bm25": ["A control: by its words alone, the most alike is “dull film” (labelled neg). It knows nothing of the model."],
        "random": ["A control: examples drawn at random, “dull film” (labelled neg) first."],
    }


def test_labels_in_doubt_are_counted_by_whoever_has_looked(pieces):
    query = sentence("dull", "neg")
    ones = [pull("dull", "pos", [(1, 1, 1.0)], id=str(id), predicted="neg" if id else "pos") for id in range(3)]
    found = asked(query, "neg", proponents=ones)
    assert answer.sentences(found, pieces, None)[-1] == "The model itself says another label for 2 of these 3."
    assert answer.sentences(found, pieces, {})[-1] == "Suspects doubts none of their labels."
    assert answer.sentences(found, pieces, {"0": "neg", "1": "neg"})[-1] == "Suspects doubts the label of 2 of these 3."


def test_nothing_to_say_is_said(pieces):
    assert answer.sentences(asked(sentence("dull", "neg"), "neg"), pieces, {}) == [
        "By this method, no training example speaks for it."
    ]


@pytest.mark.parametrize(
    ("special", "whole", "said"),
    [
        (0.05, 1.0, ""),
        (0.34, 1.0, "The rest, 34%, goes through start and end tokens."),
        (-0.34, -1.0, "The rest, 34%, goes through start and end tokens."),
        (1.0, 1.0, "All of it goes through start and end tokens."),
        (-0.5, 1.0, "Start and end tokens pull the other way (−50%)."),
        (0.0, 0.0, ""),
    ],
)
def test_a_card_says_what_its_lit_words_leave_over(special, whole, said):
    assert explanation_board.rest(special, whole) == said


def test_the_parts_of_a_card_sum_to_all_of_its_score(pieces):
    query = sentence("the dull dull film", "neg")
    one = pull("dull film", "neg", [(0, 0, 1.0), (2, 1, 2.0), (3, 1, 3.0), (4, 2, -1.0)])
    found = asked(query, "neg", proponents=[one])
    column = explanation_board.columns_of(found, pieces, {}, [CheckpointInfo("epoch 1", 0.1, 1.0, 1.0, 1.0, 1.0)])[0]
    assert column["cards"][0]["words"] == [
        ("dull", "100%", 1.0),
        ("film", "−20%", -0.2),
        ("start and end tokens", "20%", 0.2),
    ]
    assert column["cards"][0]["checkpoints"] == [("epoch 1", "100%", 1.0)]
