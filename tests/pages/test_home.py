"""Home: numbers that come from the workspace, links that lead on."""

import html
import json
import re

from conftest import IMAGE, PLAIN, SCRIPT, shown
from reviewing_app import ANN, opener, own_workspace, queue_of, reviews_of
from tiny import request, rows, write_csv

import influence
from influence.cli import main
from influence.review.reviews import open_reviews
from influence.suspects import provenance, weak_model
from influence.workspace import build_workspace, training_settings
from pages.ui.home import page
from pages.ui.parts import suspicions


def test_the_figures_are_the_workspace_s(open_page, workspaces):
    workspace = influence.open_workspace(workspaces / "tiny")
    counts = workspace.confusion().to_numpy()
    app = open_page("home")
    assert not app.exception
    text = shown(app)
    assert f"{workspace.info.accuracy:.1%}" in text
    assert f"{counts.trace()} of 30 right" in text
    assert "60 rows" in text
    assert "30 rows" in text
    assert "epochs 2" in text
    assert workspace.info.train_sha256[:12] in text
    for warning in workspace.info.warnings:
        assert html.escape(warning.replace(" (--max-length)", "")) in text


def test_labels_and_names_are_escaped(open_page):
    app = open_page("home")
    text = shown(app)
    assert "<script>" not in text
    assert "<img" not in text
    assert html.escape(SCRIPT) in text
    assert IMAGE not in "\n".join(link.proto.label for link in app.get("page_link"))


def test_the_matrix_counts_every_test_sentence(open_page):
    app = open_page("home")
    figures = [element.proto.spec for element in app.get("plotly_chart")]
    assert len(figures) == 3
    assert (
        sum(
            int(number.replace(",", ""))
            for number in re.findall(r"<b>([\d,]+)</b> of", figures[0].encode().decode("unicode_escape"))
        )
        == 30
    )


def test_the_way_on_leads_to_the_wrong_predictions(open_page):
    links = [link.proto for link in open_page("home").main.get("page_link")]
    assert links
    assert all("workspace=tiny" in link.query_string for link in links)


def test_many_labels_show_the_most_confused_first(workspaces):
    import pandas as pd

    counts = pd.DataFrame([[9, 1, 0], [4, 5, 0], [0, 0, 7]], index=list("abc"), columns=list("abc"))
    assert page.most_confused(counts, list("abc")) == ["a", "b", "c"]
    counts.loc["c", "b"] = 20
    assert page.most_confused(counts, list("abc")) == ["b", "c", "a"]


def test_frequent_mistakes_are_links_to_their_sentences(open_page, pair_workspaces):
    counts = influence.open_workspace(pair_workspaces / "pairs").confusion()
    app = open_page("home", root=pair_workspaces)
    assert not app.exception
    mistakes = [link.proto for link in app.main.get("page_link") if "predicted=" in link.proto.query_string]
    wrong = [int(counts.loc[given, said]) for given in counts for said in counts if given != said and counts.loc[given, said]]
    assert [int(link.label.split(" ")[0]) for link in mistakes] == sorted(wrong, reverse=True)
    assert any(f"label={PLAIN}" in link.query_string for link in mistakes)
    assert not any(mark in link.label.replace("\\<", "") for link in mistakes for mark in ("<img", "<script"))


def test_it_leads_on_to_where_the_reviewer_stopped(judged_workspaces, tmp_path, monkeypatch):
    with own_workspace(judged_workspaces, tmp_path) as root:
        open_as = opener(root, monkeypatch)
        labels = [link.proto.label for link in open_as("Ann", "home", workspace="tiny").main.get("page_link")]
        assert any("training examples whose label is in doubt" in label for label in labels)
        assert not any("Continue" in label or "decided" in label for label in labels)
        queue = queue_of(root, ["train-1", "train-2", "train-3"])
        reviews_of(root).decide(ANN, "train-1", "keep", queue=queue.id)
        shown_links = [link.proto for link in open_as("Ann", "home", workspace="tiny").main.get("page_link")]
        links = {link.label: link.query_string for link in shown_links}
        assert links["Continue where you stopped: some, 2 left"] == f"workspace=tiny&queue={queue.id}"
        assert links["Fix list: 0 changes, 1 kept as they are"] == "workspace=tiny"
        for id in ("train-2", "train-3"):
            reviews_of(root).decide(ANN, id, "keep", queue=queue.id)
        labels = [link.proto.label for link in open_as("Ann", "home", workspace="tiny").main.get("page_link")]
        assert not any("Continue" in label for label in labels)


def test_without_suspects_it_offers_to_compute_them(open_page):
    labels = [link.proto.label for link in open_page("home").main.get("page_link")]
    assert any("Compute the suspects" in label for label in labels)


def test_it_warns_where_counting_words_beats_the_model(tmp_path, monkeypatch):
    train = write_csv(tmp_path / "train.csv", rows(120, seed=3))
    files = ["--train", train, "--test", write_csv(tmp_path / "test.csv", rows(30, seed=4, prefix="t")), "--id", "id"]
    idle = ["--model", "cnn", "--epochs", "1", "--learning-rate", "1e-9", "--encoder", "none"]
    assert main(["build", *files, *idle, "--workspace", str(tmp_path / "root" / "weak")]) == 0
    workspace = influence.open_workspace(tmp_path / "root" / "weak")
    [warning] = weak_model(workspace.info.accuracy, provenance(workspace)["baseline"])
    app = opener(tmp_path / "root", monkeypatch)("Ann", "home")
    assert not app.exception
    assert html.escape(warning) in shown(app)


def test_what_is_decided_is_no_longer_counted_as_in_doubt(judged_workspaces, tmp_path, monkeypatch):
    with own_workspace(judged_workspaces, tmp_path) as root:
        home = opener(root, monkeypatch)

        def in_doubt():
            [label] = [one.proto.label for one in home("Ann", "home").main.get("page_link") if "is in doubt" in one.proto.label]
            return int(label.split()[0])

        before, ids = in_doubt(), suspicions.ranked_ids(influence.open_workspace(root / "tiny"))
        assert before == len(ids)
        reviews_of(root).decide(ANN, ids[0], "keep")
        assert in_doubt() == before - 1


def test_reviews_are_read_though_the_workspace_that_opened_them_was_closed(open_page, root):
    first = influence.open_workspace(root / "tiny")
    open_reviews(first)
    first.close()
    app = open_page("home", root=root)
    assert not app.exception
    assert open_reviews(influence.open_workspace(root / "tiny")).corpus.examples


def test_the_curves_have_all_epochs_and_mark_those_of_the_scores(open_page, tmp_path):
    files = {split: write_csv(tmp_path / f"{split}.csv", rows(n, seed=n)) for split, n in (("train", 40), ("test", 12))}
    training = training_settings("cnn", epochs=5, learning_rate=0.1, batch_size=16)
    info = build_workspace(tmp_path / "root" / "few", request(files, training=training, max_checkpoints=2))
    app = open_page("home", root=tmp_path / "root", workspace="few")
    assert not app.exception
    for name in ("loss", "accuracy"):
        figures = [json.loads(element.proto.spec) for element in app.get("plotly_chart")]
        (figure,) = [one for one in figures if one["layout"].get("title", {}).get("text") == name.capitalize()]
        for line in figure["data"]:
            assert line["x"] == [f"epoch {number}" for number in range(1, 6)]
            assert line["y"] == [getattr(epoch, f"{line['name']}_{name}") for epoch in info.epochs]
            filled = [place for place, symbol in enumerate(line["marker"]["symbol"]) if symbol == "circle"]
            assert filled == [place for place, epoch in enumerate(info.epochs) if epoch.checkpoint is not None]
    assert "Scores are summed over 2 of the 5 checkpoints: the filled points." in shown(app)
    assert "epoch 1 (0.1), epoch 5 (0.1); of 5" in shown(app)
