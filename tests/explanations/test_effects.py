"""A training example as a question, and what it did to the tests: both against explanations of test examples."""

import pytest
from tiny import rows, write_csv

from influence import QueryError, Workspace, explain, open_workspace
from influence.data.dataset import Columns
from influence.explanations.explanation import effects
from influence.workspace.build import build_workspace
from influence.workspace.build_request import BuildRequest, training_settings


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose test split is its training split, so that either can stand for the other."""
    folder = tmp_path_factory.mktemp("effects")
    file = write_csv(folder / "data.csv", rows(40, seed=5))
    training = training_settings("cnn", epochs=2, learning_rate=0.1, batch_size=8)
    request = BuildRequest(train=file, test=file, columns=Columns(id="id"), training=training)
    build_workspace(folder / "workspace", request)
    return open_workspace(folder / "workspace")


@pytest.mark.parametrize("tokens", ["include", "exclude", "only"])
def test_a_training_example_is_explained_as_a_test_with_its_text_would_be_without_itself(workspace, tokens):
    for id in workspace.train_ids()[:12]:
        found = explain(workspace, train_id=id, top=100, special_tokens=tokens)
        twin = explain(workspace, test_id=id, top=100, special_tokens=tokens)
        assert (found.query, found.label) == (twin.query, twin.label)
        for ours, theirs in ((found.proponents, twin.proponents), (found.opponents, twin.opponents)):
            expected = {one.train.id: one for one in theirs if one.train.id != id}
            off = 1e-4 * max((abs(one.score) for one in theirs), default=1)  # of the largest: what compact rows keep to
            assert {one.train.id for one in ours} == set(expected)
            for one in ours:
                assert one.score == pytest.approx(expected[one.train.id].score, abs=off)
                assert sum(match.score for match in one.matches) == pytest.approx(one.score, rel=1e-4, abs=1e-9)


def test_effects_are_explanations_the_other_way_round(workspace):
    scores = {}
    for test in workspace.train_ids():
        found = explain(workspace, test_id=test, top=100)
        for one in (*found.proponents, *found.opponents):
            scores[one.train.id, test] = one
    for train in workspace.train_ids():
        found = effects(workspace, train, top=5)
        mine = sorted((one.score for (id, _), one in scores.items() if id == train), reverse=True)
        assert [e.score for e in found.helped] == [score for score in mine if score > 0][:5]
        assert [e.score for e in found.harmed] == [score for score in mine[::-1] if score < 0][:5]
        for effect in (*found.helped, *found.harmed):
            other = scores[train, effect.test.id]
            assert {(m.test_word, m.train_word, m.score) for m in effect.matches} == {
                (m.test_word, m.train_word, m.score) for m in other.matches
            }
            assert effect.special_score == other.special_score
            assert effect.wrong == (effect.test.predicted != effect.test.label)


def test_questions_that_make_no_sense(workspace):
    for ask in (explain, effects):
        with pytest.raises(QueryError, match="unknown training id 'nobody'"):
            ask(workspace, train_id="nobody")
    other = next(label for label in workspace.info.labels if label != explain(workspace, train_id="e0").label)
    with pytest.raises(QueryError, match="on its own label"):
        explain(workspace, train_id="e0", label=other)
    with pytest.raises(QueryError, match="unknown label 'maybe'"):
        explain(workspace, train_id="e0", label="maybe")
    with pytest.raises(QueryError, match="--method tracin-we: only its top-k words are stored"):
        explain(workspace, train_id="e0", method="tracin-we")
    with pytest.raises(QueryError, match="either a test id, a training id or a text"):
        explain(workspace, train_id="e0", test_id="e0")
