"""Explanations of a real workspace: what is stored is what would be computed, and everything sums up."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from oracles import by_token, kept_positions, position_gradients, relative_error, rows_of, tracin
from tiny import ANYWHERE

from influence import METHODS, Explanation, TestFilter, Workspace, all_scores, explain, open_workspace
from influence.attribution.query import SpecialTokens
from influence.checkpoints import load_checkpoint
from influence.errors import QueryError

WORD_METHODS = [id for id in ANYWHERE if METHODS[id].words]
TIGHT = {"rel": 1e-5, "abs": 1e-9}


@pytest.fixture(scope="module")
def opened(workspace: Path) -> Iterator[Workspace]:
    found = open_workspace(workspace)
    yield found
    found.close()


@pytest.fixture(scope="module")
def pairs(pair_workspace: Path) -> Iterator[Workspace]:
    found = open_workspace(pair_workspace)
    yield found
    found.close()


def as_table(found: Explanation) -> list[dict[str, Any]]:
    """Everything that an explanation says about its influences."""
    return [
        {
            "id": influence.train.id,
            "score": influence.score,
            "special": influence.special_score,
            "checkpoints": influence.checkpoint_scores,
            "matches": {(match.test_word, match.train_word): match.score for match in influence.matches},
            "train": influence.train,
        }
        for influence in [*found.proponents, *found.opponents]
    ]


def check_equal(first: Explanation, second: Explanation) -> None:
    """Same influences in the same order, numbers within float32."""
    assert (first.query, first.label) == (second.query, second.label)
    left, right = as_table(first), as_table(second)
    assert [row["id"] for row in left] == [row["id"] for row in right]
    for one, other in zip(left, right, strict=True):
        assert one["train"] == other["train"]
        assert one["score"] == pytest.approx(other["score"], **TIGHT)
        assert one["special"] == pytest.approx(other["special"], **TIGHT)
        assert one["checkpoints"] == pytest.approx(other["checkpoints"], **TIGHT)
        assert one["matches"] == pytest.approx(other["matches"], **TIGHT)


@pytest.mark.parametrize("test_id", ["te0", "te7", "te15"])
@pytest.mark.parametrize("which", ["opened", "pairs"])
def test_what_is_stored_is_what_would_be_computed(test_id: str, which: str, request: pytest.FixtureRequest) -> None:
    """Past the stored top, the same question is computed from the index: both must agree."""
    workspace = request.getfixturevalue(which)
    check_equal(explain(workspace, test_id=test_id, top=100), explain(workspace, test_id=test_id, top=101))


@pytest.mark.parametrize("which", ["opened", "pairs"])
def test_a_typed_text_is_explained_like_the_test_example_of_the_same_words(which: str, request: pytest.FixtureRequest) -> None:
    """The live model's gradients are the stored ones; only the id and the given label are missing."""
    workspace = request.getfixturevalue(which)
    stored = explain(workspace, test_id="te3", method="tracin-we")
    typed = explain(workspace, text=stored.query.text, text_pair=stored.query.text_pair, label=stored.label, method="tracin-we")
    assert (typed.query.id, typed.query.label) == (None, "")
    assert typed.query.words == stored.query.words
    assert typed.query.probabilities == pytest.approx(stored.query.probabilities, rel=1e-5)
    for one, other in zip(as_table(typed), as_table(stored), strict=True):
        assert (one["id"], one["score"]) == (other["id"], pytest.approx(other["score"], **TIGHT))


def test_scores_of_the_workspace_equal_dense_autograd_of_its_checkpoints(opened: Workspace) -> None:
    """End to end: from the CSV file through training, index and command to a score, against float64 gradients."""
    expected = 0.0
    for number, info in enumerate(opened.info.checkpoints):
        model = load_checkpoint(opened.build / "checkpoints", number)
        sides = []
        for encoding, labels in (
            (opened.index.encoding, opened.index.labels_N),
            (opened.queries.encoding, opened.queries.labels_M),
        ):
            gradients = []
            for row in rows_of(encoding, labels):
                gradients_LD = position_gradients(model, row)
                kept = kept_positions(gradients_LD, opened.info.top_k)
                gradients.append(by_token(gradients_LD, row.tokens, kept, len(model.get_input_embeddings().weight)))
            sides.append(gradients)
        expected = expected + info.learning_rate * tracin(*sides)
    found = np.stack([all_scores(opened, test_id=f"te{n}")["score"] for n in range(16)])
    assert relative_error(found, np.asarray(expected)) < 1e-5
    # And the stored lists are the extremes of that matrix.
    for position in (0, 9):
        explanation = explain(opened, test_id=f"te{position}", top=5)
        order = np.argsort(-np.asarray(expected)[position], kind="stable")
        best = [np.asarray(expected)[position][n] for n in order[:5]]
        assert [influence.score for influence in explanation.proponents] == pytest.approx(best, rel=1e-4)


@pytest.mark.parametrize("method", ANYWHERE)
def test_an_explanation_is_the_top_of_all_scores(opened: Workspace, method: str) -> None:
    scores = all_scores(opened, test_id="te4", method=method)
    assert list(scores.columns) == ["train_id", "score"]
    assert scores["train_id"].tolist() == [f"tr{n}" for n in range(80)]
    found = explain(opened, test_id="te4", method=method, top=7)
    largest = scores.sort_values("score", ascending=False)["score"].to_numpy()
    proponents, opponents = [i.score for i in found.proponents], [i.score for i in found.opponents]
    assert proponents == pytest.approx([score for score in largest[:7] if score > 0], **TIGHT)
    assert opponents == pytest.approx([score for score in largest[::-1][:7] if score < 0], **TIGHT)
    by_id = dict(zip(scores["train_id"], scores["score"], strict=True))
    for influence in [*found.proponents, *found.opponents]:
        assert influence.score == pytest.approx(by_id[influence.train.id or ""], **TIGHT)
    assert found.method == method


@pytest.mark.parametrize("method", WORD_METHODS)
@pytest.mark.parametrize("special_tokens", get_args(SpecialTokens))
@pytest.mark.parametrize("which", ["opened", "pairs"])
def test_words_and_checkpoints_sum_to_the_score(
    method: str, special_tokens: Any, which: str, request: pytest.FixtureRequest
) -> None:
    workspace = request.getfixturevalue(which)
    found = explain(workspace, test_id="te1", method=method, top=200, special_tokens=special_tokens)
    for influence in [*found.proponents, *found.opponents]:
        assert sum(influence.test_words().values()) == pytest.approx(influence.score, **TIGHT)
        assert sum(influence.train_words().values()) == pytest.approx(influence.score, **TIGHT)
        assert sum(influence.checkpoint_scores) == pytest.approx(influence.score, **TIGHT)
        assert len(influence.checkpoint_scores) == 3
        special = {word for word, score in enumerate(found.query.words) if score.side == -1}
        share = sum(score for word, score in influence.test_words().items() if word in special)
        assert share == pytest.approx(influence.special_score, **TIGHT)
        if special_tokens == "exclude":
            assert influence.special_score == 0
        if special_tokens == "only" or method == "tracin-common":
            assert influence.special_score == pytest.approx(influence.score, **TIGHT)


def test_a_matched_pair_of_words_is_the_same_word(opened: Workspace) -> None:
    """In this vocabulary every word is one token, so the words that share influence are spelled alike."""
    found = explain(opened, test_id="te2", top=20)
    assert found.proponents
    for influence in [*found.proponents, *found.opponents]:
        for match in influence.matches:
            assert found.query.words[match.test_word].text == influence.train.words[match.train_word].text


@pytest.mark.parametrize("which", ["opened", "pairs"])
def test_words_stand_where_they_say(which: str, request: pytest.FixtureRequest) -> None:
    """Offsets point into the text or the second text; start and end tokens have their own names."""
    workspace = request.getfixturevalue(which)
    query = explain(workspace, test_id="te5").query
    for word in query.words:
        if word.side == -1:
            assert (word.text, word.start, word.end) in (("[CLS]", 0, 0), ("[SEP]", 0, 0))
        else:
            assert (query.text, query.text_pair)[word.side][word.start : word.end] == word.text
    spelled = [word.text for word in query.words if word.side >= 0]
    assert spelled == f"{query.text} {query.text_pair or ''}".split()
    assert len([word for word in query.words if word.side == -1]) == (3 if which == "pairs" else 2)


def test_another_label_explains_another_loss(opened: Workspace) -> None:
    """The gradient of the other label: with two labels δ changes sign, so a proponent becomes an opponent."""
    own = explain(opened, test_id="te6", method="tracin-last", top=80)
    other_label = next(label for label in opened.info.labels if label != own.label)
    other = explain(opened, test_id="te6", method="tracin-last", label=other_label, top=80)
    assert other.label == other_label
    assert other.query == own.query
    signs = {i.train.id: np.sign(i.score) for i in [*own.proponents, *own.opponents]}
    flipped = {i.train.id: np.sign(i.score) for i in [*other.proponents, *other.opponents]}
    assert {id: -sign for id, sign in signs.items()} == flipped


def test_a_typed_text_is_explained_on_its_predicted_label(opened: Workspace) -> None:
    found = explain(opened, text="a lovely film")
    assert found.label == found.query.predicted == max(found.query.probabilities, key=found.query.probabilities.__getitem__)
    assert sum(found.query.probabilities.values()) == pytest.approx(1)


def test_the_controls_are_the_same_every_time(opened: Workspace) -> None:
    for method in ("random", "random-same-label"):
        check_equal(explain(opened, test_id="te1", method=method), explain(opened, test_id="te1", method=method))
        ids = [[i.train.id for i in explain(opened, test_id=id, method=method).proponents] for id in ("te1", "te2")]
        assert ids[0] != ids[1]
    found = explain(opened, test_id="te1", method="random-same-label", top=80)
    assert {i.train.label for i in found.proponents} == {found.label}
    assert found.label not in {i.train.label for i in found.opponents}


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown id": (
        {"test_id": "zz"},
        "unknown test id 'zz'; workspace 'tiny' has 16 test examples, from 'te0' to 'te15'",
    ),
    "a training id": (
        {"test_id": "tr0"},
        "unknown test id 'tr0'; workspace 'tiny' has 16 test examples, from 'te0' to 'te15'",
    ),
    "unknown method": (
        {"test_id": "te0", "method": "magic"},
        f"unknown method 'magic'; choose one of {', '.join(METHODS)}",
    ),
    "unknown label": ({"test_id": "te0", "label": "meh"}, "unknown label 'meh'; this workspace knows neg, pos"),
    "unknown label of a text": ({"text": "film", "label": "meh"}, "unknown label 'meh'; this workspace knows neg, pos"),
    "neither": ({}, "give either a test id, a training id or a text"),
    "both": ({"test_id": "te0", "text": "film"}, "give either a test id, a training id or a text"),
    "empty text": ({"text": " \n"}, "the text is empty; give at least one word"),
    "a pair": (
        {"text": "film", "text_pair": "plot"},
        "this workspace classifies single texts: leave --text-pair out",
    ),
    "half a character": (
        {"text": "film \udcff"},
        r"'film \udcff' is not text: it holds a byte that is no UTF-8, or half a surrogate pair",
    ),
    "an id that is no text": (
        {"test_id": "\ud83d"},
        r"'\ud83d' is not text: it holds a byte that is no UTF-8, or half a surrogate pair",
    ),
    "none asked for": ({"test_id": "te0", "top": 0}, "--top 0: must be 1 or more"),
    "special tokens of no words": (
        {"test_id": "te0", "method": "tracin-last", "special_tokens": "only"},
        "--special-tokens only: method 'tracin-last' does not work on words",
    ),
    "unknown special tokens": (
        {"test_id": "te0", "special_tokens": "some"},
        "--special-tokens some: choose one of include, exclude, only",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_question_about_what_is_not_there_is_refused(opened: Workspace, case: str) -> None:
    question, message = REFUSED[case]
    with pytest.raises(QueryError) as caught:
        explain(opened, **question)
    assert str(caught.value) == message


def test_a_pair_workspace_wants_both_texts(pairs: Workspace) -> None:
    for second in (None, "", "  "):
        with pytest.raises(QueryError) as caught:
            explain(pairs, text="film", text_pair=second)
        assert str(caught.value) == "this workspace classifies pairs of texts: give the second one too (--text-pair)"


def test_all_scores_refuses_alike(opened: Workspace) -> None:
    for question in ({"test_id": "zz"}, {"test_id": "te0", "method": "magic"}):
        with pytest.raises(QueryError):
            all_scores(opened, **question)


# What the results file holds ------------------------------------------------------------------------------------------


def test_predictions_are_the_checkpoints_own(opened: Workspace) -> None:
    """Of both splits at every checkpoint: argmax, its probability, the loss −ln p(label)."""
    found = opened.store.frame("""
        select split, checkpoint, predicted, confidence, loss, probabilities, label
        from predictions join examples using (split, position)
    """)
    assert found.groupby(["split", "checkpoint"]).size().to_dict() == {
        (split, number): n for split, n in (("train", 80), ("test", 16)) for number in range(3)
    }
    names = opened.info.labels
    for row in found.itertuples():
        assert row.predicted == names[int(np.argmax(row.probabilities))]
        assert row.confidence == pytest.approx(max(row.probabilities))
        assert row.loss == pytest.approx(-np.log(row.probabilities[names.index(row.label)]), rel=1e-4, abs=1e-6)


def test_accuracies_are_those_of_the_predictions(opened: Workspace) -> None:
    right = opened.store.frame("""
        select split, checkpoint, avg((predicted = label)::double) as accuracy, avg(loss::double) as loss
        from predictions join examples using (split, position) group by all
    """).set_index(["split", "checkpoint"])
    for number, info in enumerate(opened.info.checkpoints):
        assert info.train_accuracy == pytest.approx(right.loc[("train", number), "accuracy"])
        assert info.test_accuracy == pytest.approx(right.loc[("test", number), "accuracy"])
        assert info.test_loss == pytest.approx(right.loc[("test", number), "loss"], rel=1e-5)
    assert opened.info.accuracy == opened.info.checkpoints[-1].test_accuracy
    confusion = opened.confusion()
    assert np.trace(confusion.to_numpy()) / 16 == pytest.approx(opened.info.accuracy)
    assert (list(confusion.index), list(confusion.columns)) == (["neg", "pos"], ["neg", "pos"])
    assert confusion.to_numpy().sum() == 16


def test_self_influence_is_the_score_with_itself(opened: Workspace) -> None:
    """Of every training example, asked about as if it were a query; over all positions it is at least the top-k's."""
    stored = opened.store.frame("""
        pivot (select method, position, score from self_influence where split = 'train') on method using first(score)
        order by position
    """)
    selection = METHODS["tracin-we-topk"].selection
    assert selection is not None
    own = [opened.index.word_scores(opened.train_queries[n], selection).sum(axis=0)[n] for n in range(80)]
    assert relative_error(stored["tracin-we-topk"].to_numpy(), np.array(own)) < 1e-5
    assert (stored[["tracin-we", "tracin-we-topk"]] > 0).all().all()


def test_the_view_names_the_words_of_a_pair(opened: Workspace) -> None:
    """For people with a SQL prompt: it says what an explanation says."""
    found = explain(opened, test_id="te8", top=3)
    for influence in found.proponents:
        rows = opened.store.rows(
            "select word, score from word_contributions where test_id = 'te8' and train_id = ?", [influence.train.id]
        )
        expected: dict[str, float] = {}
        for word, score in influence.test_words().items():
            name = found.query.words[word].text
            expected[name] = expected.get(name, 0) + score
        assert dict(rows) == pytest.approx(expected, **TIGHT)


def everything(opened: Workspace) -> pd.DataFrame:
    return opened.search_tests(TestFilter(), limit=100)[1]


def test_tests_are_listed_wrong_ones_first_then_by_confidence(opened: Workspace) -> None:
    total, page = opened.search_tests(TestFilter(), limit=100)
    assert total == len(page) == 16
    assert page["wrong"].tolist() == sorted(page["wrong"], reverse=True)
    for _, group in page.groupby("wrong"):
        assert group["confidence"].is_monotonic_decreasing
    assert (page["wrong"] == (page["label"] != page["predicted"])).all()
    pages = [opened.search_tests(TestFilter(), limit=5, offset=start)[1] for start in range(0, 20, 5)]
    pd.testing.assert_frame_equal(pd.concat(pages, ignore_index=True), page)


def test_filters_all_hold_together(opened: Workspace) -> None:
    page = everything(opened)
    conditions: list[tuple[TestFilter, Any]] = [
        (TestFilter(wrong=True), page["wrong"]),
        (TestFilter(wrong=False), ~page["wrong"]),
        (TestFilter(label="pos"), page["label"] == "pos"),
        (TestFilter(predicted="neg", wrong=True), (page["predicted"] == "neg") & page["wrong"]),
        (TestFilter(min_confidence=0.6, max_confidence=0.8), page["confidence"].between(0.6, 0.8)),
        (TestFilter(text="FILM"), page["text"].str.contains("film")),
        (TestFilter(text="te3"), page["id"] == "te3"),
        (TestFilter(text="'; drop table examples; --"), page["text"] == "no such text"),
        (TestFilter(text="%"), page["text"] == "no such text"),
    ]
    for filter, mask in conditions:
        total, found = opened.search_tests(filter, limit=100)
        assert sorted(found["id"]) == sorted(page[mask]["id"])
        assert total == int(mask.sum())
