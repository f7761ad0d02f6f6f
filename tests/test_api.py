"""The front door: the frames hold what the functions beneath give, and documents' examples run."""

import json
from pathlib import Path

import pandas as pd
import pytest

from influence import DataError, QueryError, SettingsError, Workspace, WorkspaceMissing, all_scores, explain, open_workspace
from influence.cli import main
from influence.clusters.compute import write_clusters
from influence.clusters.cuts import clusters
from influence.suspects.compute import write_suspects
from influence.suspects.ranking import suspects


@pytest.fixture
def opened(workspace):
    found = Workspace.open(workspace)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("asked", "method"),
    [
        ({"test_id": "te1"}, "tracin-we-topk"),
        ({"test_id": "te1"}, "tracin-we"),
        ({"text": "a good film"}, "tracin-we"),
        ({"train_id": "tr3"}, "tracin-we-topk"),
    ],
    ids=str,
)
def test_explain_holds_the_explanation(opened, asked, method):
    found = explain(opened, **asked, method=method, top=4)
    frame = opened.explain(**asked, method=method, top=4)
    pd.testing.assert_frame_equal(found.to_frame(), frame, check_exact=True)
    assert found.to_frame().attrs == frame.attrs
    assert frame["kind"].tolist() == ["proponent"] * len(found.proponents) + ["opponent"] * len(found.opponents)
    influences = [*found.proponents, *found.opponents]
    for column, values in {
        "train_id": [i.train.id for i in influences],
        "score": [i.score for i in influences],
        "label": [i.train.label for i in influences],
        "predicted": [i.train.predicted for i in influences],
        "text": [i.train.text for i in influences],
    }.items():
        assert frame[column].tolist() == values
    assert list(frame.columns) == ["kind", "train_id", "score", "label", "predicted", "text", "words"]
    assert frame.attrs == {
        "id": found.query.id, "text": found.query.text, "label": found.label, "predicted": found.query.predicted,
        "probabilities": found.query.probabilities, "method": method,
    }  # fmt: skip
    for row in frame.itertuples():
        assert sum(row.words.values()) == pytest.approx(row.score, abs=1e-6)


def test_it_is_what_the_command_line_prints(opened, workspace, capsys):
    main(["query", "--workspace", str(workspace), "--test-id", "te1", "--top", "3", "--json"])
    printed = json.loads(capsys.readouterr().out)
    frame = opened.explain(test_id="te1", top=3)
    for kind in ("proponent", "opponent"):
        rows = frame[frame["kind"] == kind][["train_id", "score", "label", "text"]]
        assert rows.to_dict("records") == [{name: row[name] for name in rows} for row in printed[f"{kind}s"]]


def test_methods_without_words_have_none(opened):
    frame = opened.explain(test_id="te1", method="tracin-last", top=2)
    assert len(frame) == 4
    assert frame["words"].tolist() == [{}] * 4


def test_pairs_show_both_texts(pair_workspace):
    opened = Workspace.open(pair_workspace)
    frame = opened.explain("a good", text_pair="film", top=2)
    assert frame["text_pair"].notna().all()
    opened.close()


def test_scores_and_tests(opened):
    pd.testing.assert_frame_equal(opened.scores("te1", method="tracin-we"), all_scores(opened, test_id="te1", method="tracin-we"))
    found = opened.tests()
    assert len(found) == opened.info.n_test
    assert found["wrong"].is_monotonic_decreasing
    assert opened.tests(top=3)["id"].tolist() == found["id"].tolist()[:3]


def test_suspects_and_clusters_are_computed_where_they_are_missing(copied):
    first, second = copied(), copied()
    opened = Workspace.open(first)
    found, groups = opened.suspects(top=80), opened.clusters(threshold=0.9, min_size=2)
    write_suspects(second)
    write_clusters(second)
    other = open_workspace(second)
    pd.testing.assert_frame_equal(found, suspects(other, limit=80)[1])
    wanted = clusters(other, threshold=0.9, min_size=2)
    assert groups["train_ids"].tolist() == [one.train_ids for one in wanted]
    assert groups["words"].tolist() == [one.words for one in wanted]
    opened.close(), other.close()


def test_held_out_models_are_trained_when_asked_for(copied):
    opened = Workspace.open(copied())
    assert opened.suspects(top=5)["held_out_confidence"].isna().all()
    assert opened.suspects(top=5, models=5)["held_out_confidence"].notna().all()
    assert opened.suspects(top=5)["held_out_confidence"].notna().all()  # a later question takes what is there
    opened.close()


def test_fixes_are_those_exported(copied, tmp_path, capsys):
    from influence.review.events import Reviewer
    from influence.review.reviews import open_reviews

    path = copied()
    opened = Workspace.open(path)
    assert opened.fixes().empty
    reviews = open_reviews(opened)
    reviewer = Reviewer(name="Ada")
    given = reviews.corpus["tr0"].label
    reviews.decide(reviewer, "tr0", "relabel", new_label="neg" if given == "pos" else "pos")
    reviews.decide(reviewer, "tr1", "remove")
    reviews.close()
    output = tmp_path / "fixes.jsonl"
    main(["export", "--workspace", str(path), "--output", str(output)])
    capsys.readouterr()
    exported = [json.loads(line) for line in output.read_text().splitlines()]
    frame = opened.fixes()
    assert frame.columns.tolist() == list(exported[0])
    names = ["example_id", "action", "old_label", "reviewer", "text"]
    assert frame[names].to_dict("records") == [{name: row[name] for name in names} for row in exported]
    assert frame["new_label"].fillna("").tolist() == [row["new_label"] or "" for row in exported]
    assert opened.fixes(reviewers=["Ada"])["example_id"].tolist() == ["tr0", "tr1"]
    opened.close()


def test_create_builds_what_the_command_builds(data, workspace, tmp_path):
    made = Workspace.create(
        tmp_path / "made", train=data["train"], test=data["test"], id="id", top_k=4, epochs=3, learning_rate=0.1, batch_size=16
    )
    there = Workspace.open(workspace)
    pd.testing.assert_frame_equal(made.explain(test_id="te1"), there.explain(test_id="te1"))
    made.close(), there.close()


def test_bad_input_is_one_line(data, workspace, tmp_path):
    opened = Workspace.open(workspace)
    with pytest.raises(WorkspaceMissing, match="there is no workspace at"):
        Workspace.open(tmp_path / "nowhere")
    with pytest.raises(QueryError, match="give either a test id, a training id or a text"):
        opened.explain()
    with pytest.raises(QueryError, match="top=0: must be 1 or more"):
        opened.suspects(top=0)
    with pytest.raises(DataError, match="'sentence'"):
        Workspace.create(tmp_path / "w", train=data["train"], test=data["test"], text="sentence")
    with pytest.raises(SettingsError, match="epochs"):
        Workspace.create(tmp_path / "w", train=data["train"], test=data["test"], epochs=0)
    assert not Path(tmp_path / "w").exists()
    opened.close()
