"""Candidates: their scores by dense float64 autograd and by the engine's own pairs, what is left out, and what is refused."""

import csv
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import oracles
import pandas as pd
import pytest
from tiny import rows, write_csv

from influence import DataError, QueryError, SettingsError, Workspace
from influence.candidates import CandidateSettings, Role, as_csv, as_parquet, rank_candidates, read_ranking
from influence.candidates.mistakes import chosen_tests
from influence.checkpoints import load_checkpoint
from influence.cli import main
from influence.models import encode

NEW = rows(14, seed=9, prefix="new")
HEADER = ["example_id", "label", "label_is_guess"]


@pytest.fixture(scope="module")
def opened(workspace):
    found = Workspace.open(workspace)
    yield found
    found.close()


@pytest.fixture(scope="module")
def opened_pairs(pair_workspace):
    found = Workspace.open(pair_workspace)
    yield found
    found.close()


@pytest.fixture(scope="module")
def new(tmp_path_factory):
    return write_csv(tmp_path_factory.mktemp("new") / "new.csv", NEW)


def written(folder: Path, table, header=("id", "text", "label")) -> str:
    return write_csv(folder / "candidates.csv", table, header)


def dense_scores(workspace, texts, pairs, labels, tests, k):
    """Mean over the tests of Σ_c η_c Σ_w ⟨g_w, g'_w⟩ for every text, one example at a time in float64; and by token."""
    encoding = encode(workspace.live.tokenizer, texts, pairs, max_length=workspace.info.max_length)
    queries = workspace.queries
    ours, theirs = oracles.rows_of(encoding, labels), oracles.rows_of(queries.encoding, queries.labels_M)
    found = np.zeros((len(texts), len(tests)))
    own = np.zeros(len(texts))
    for number, rate in enumerate(workspace.learning_rates_C):
        model = oracles.doubled(load_checkpoint(workspace.build / "checkpoints", number))
        vocabulary = model.get_input_embeddings().weight.shape[0]

        def by_token(row, model=model, vocabulary=vocabulary):
            gradients_LD = oracles.position_gradients(model, row)
            kept = oracles.kept_positions(gradients_LD, k) if k else range(len(row.tokens))
            return oracles.by_token(gradients_LD, row.tokens, kept, vocabulary)

        mine = [by_token(row) for row in ours]
        others = [by_token(theirs[test]) for test in tests]
        found += rate * np.array([[float((a * b).sum()) for b in others] for a in mine])
        own += rate * np.array([float((a * a).sum()) for a in mine])
    return found, own


@pytest.mark.parametrize(("method", "ids"), [("tracin-we-topk", ()), ("tracin-we", ("te0", "te3", "te7"))])
def test_scores_are_the_mean_over_the_test_sentences(opened, new, method, ids):
    settings = CandidateSettings(method=method, top=len(NEW), test_ids=ids)
    tests, names = chosen_tests(opened, settings).tolist(), opened.info.labels
    wrong = np.flatnonzero(opened.probabilities("test").argmax(axis=1) != np.asarray(opened.queries.labels_M)).tolist()
    assert tests == (wrong if not ids else [0, 3, 7])
    texts, labels = [text for _, text, _ in NEW], [names.index(label) for *_, label in NEW]
    found_EM, own_E = dense_scores(opened, texts, None, labels, tests, 4 if method.endswith("topk") else 0)
    wanted = dict(zip([id for id, *_ in NEW], found_EM.mean(axis=1), strict=True))
    close = 1e-5 * np.abs(found_EM).max()
    ranking = rank_candidates(opened, new, settings)
    frame = ranking.frame
    assert (ranking.tests, ranking.wrong) == (len(tests), not ids)
    assert dict(zip(frame["example_id"], frame["score"], strict=True)) == pytest.approx(wanted, abs=close)
    assert frame["example_id"].tolist() == sorted(wanted, key=lambda id: -wanted[id])
    assert frame["rank"].tolist() == list(range(1, 15))
    order = [[id for id, *_ in NEW].index(id) for id in frame["example_id"]]
    assert frame["self_influence"].to_numpy() == pytest.approx(own_E[order], rel=1e-5)
    found_EM = found_EM[order]
    helped = [
        f"te{tests[at]}" if best > 0 else None for at, best in zip(found_EM.argmax(axis=1), found_EM.max(axis=1), strict=True)
    ]
    assert frame["mistake_id"].tolist() == helped
    assert any(helped)
    positive = found_EM.max(axis=1) > 0
    assert frame["mistake_score"][positive].to_numpy() == pytest.approx(found_EM.max(axis=1)[positive], abs=close)
    assert frame["mistake_score"][~positive].isna().all()


def test_pairs_of_texts_and_chosen_sentences(opened_pairs, tmp_path):
    table = [(id, text[:20], text[20:] or "so", label) for id, text, label in NEW]
    file = written(tmp_path, table, ("id", "premise", "hypothesis", "label"))
    names = opened_pairs.info.labels
    found_EM, _ = dense_scores(
        opened_pairs, [row[1] for row in table], [row[2] for row in table], [names.index(row[3]) for row in table], [2, 5], 4
    )
    frame = rank_candidates(opened_pairs, file, CandidateSettings(test_ids=("te2", "te5"))).frame
    wanted = dict(zip([row[0] for row in table], found_EM.mean(axis=1), strict=True))
    assert dict(zip(frame["example_id"], frame["score"], strict=True)) == pytest.approx(wanted, abs=1e-5 * np.abs(found_EM).max())
    texts = {row[0]: (row[1], row[2]) for row in table}
    for row in frame.itertuples():
        assert (row.text, row.text_pair) == texts[row.example_id]
        assert [word["word"] for word in row.words if word["side"] >= 0] == [
            (row.text, row.text_pair)[word["side"]][word["start"] : word["end"]] for word in row.words if word["side"] >= 0
        ]
        assert sum(word["score"] for word in row.words) == pytest.approx(row.score, rel=1e-12)


def test_a_training_example_has_the_score_that_a_query_gives_it(opened, data, tmp_path, monkeypatch):
    """The engine's own pairs, through the index: the same rows, were they not left out for being in training."""
    monkeypatch.setattr("influence.candidates.rows._leave_known_out", lambda workspace, rows: None)
    with Path(data["train"]).open(encoding="utf-8", newline="") as file:
        table = list(csv.reader(file))[1:]
    frame = rank_candidates(opened, written(tmp_path, table), CandidateSettings(test_ids=("te1", "te4"))).frame
    wanted = sum(opened.scores(test).set_index("train_id")["score"] for test in ("te1", "te4")) / 2
    found = frame.set_index("example_id")["score"].loc[wanted.index]
    assert found.to_numpy() == pytest.approx(wanted.to_numpy(), abs=1e-4 * wanted.abs().max())


def test_last_layer_and_relative_order(opened, new):
    by_score = rank_candidates(opened, new, CandidateSettings(method="tracin-last", test_ids=("te3",))).frame
    assert by_score["words"].isna().all()
    model = oracles.doubled
    encoding = encode(opened.live.tokenizer, [text for _, text, _ in NEW], None, max_length=128)
    ours = oracles.rows_of(encoding, [opened.info.labels.index(label) for *_, label in NEW])
    theirs = oracles.rows_of(opened.queries.encoding, opened.queries.labels_M)[3]
    wanted = np.zeros(len(NEW))
    for number, rate in enumerate(opened.learning_rates_C):
        one = model(load_checkpoint(opened.build / "checkpoints", number))
        wanted += (
            rate
            * oracles.tracin(
                [oracles.last_weight_gradient(one, row) for row in ours], [oracles.last_weight_gradient(one, theirs)]
            )[0]
        )
    found = by_score.set_index("example_id")["score"].loc[[id for id, *_ in NEW]]
    assert found.to_numpy() == pytest.approx(wanted, abs=1e-5 * np.abs(wanted).max())
    relative = rank_candidates(opened, new, CandidateSettings(rank="relative")).frame
    values = relative["score"] / np.sqrt(relative["self_influence"])
    assert values.tolist() == sorted(values, reverse=True)
    assert set(relative["example_id"]) == {id for id, *_ in NEW}


def test_likeness_is_the_largest_cosine_of_weighted_counts(opened, new):
    """tf-idf worked out by hand: 1 + log of the count, times 1 + log of the smoothed inverse document frequency."""
    frame = rank_candidates(opened, new, CandidateSettings(rank="alike", test_ids=("te1", "te4"))).frame
    assert frame["alike"].tolist() == sorted(frame["alike"], reverse=True)
    tests = [opened.store.texts("test")[at][0] for at in (1, 4)]
    texts = [text for _, text, _ in NEW]
    counts = [Counter(word for word in text.split() if len(word) > 1) for text in [*texts, *tests]]
    among = Counter(word for one in counts for word in one)
    vectors = [
        {word: (1 + math.log(n)) * (1 + math.log((1 + len(counts)) / (1 + among[word]))) for word, n in one.items()}
        for one in counts
    ]

    def cosine(one, other):
        lengths = math.hypot(*one.values()) * math.hypot(*other.values())
        return sum(value * other.get(word, 0) for word, value in one.items()) / lengths

    wanted = {
        row[0]: max(cosine(vector, vectors[-2]), cosine(vector, vectors[-1])) for row, vector in zip(NEW, vectors, strict=False)
    }
    assert dict(zip(frame["example_id"], frame["alike"], strict=True)) == pytest.approx(wanted)


def test_rows_without_a_label_are_taken_by_the_most_probable_one(opened, tmp_path):
    table = [(id, text, "" if place % 2 else label) for place, (id, text, label) in enumerate(NEW)]
    ranking = rank_candidates(opened, written(tmp_path, table))
    given = {id: label for id, _, label in table}
    for row in ranking.frame.itertuples():
        assert row.label_is_guess == (not given[row.example_id])
        assert row.label == (given[row.example_id] or row.predicted)
        probabilities = opened.live.predict(row.text, None).probabilities_Y
        assert row.predicted == opened.info.labels[int(probabilities.argmax())]
        assert row.confidence == pytest.approx(float(probabilities.max()), rel=1e-5)
    assert ranking.guessed == 7
    everyone = rank_candidates(opened, written(tmp_path, table), role=Role(unlabelled=True))
    bare = rank_candidates(opened, written(tmp_path, [row[:2] for row in table], ("id", "text")))
    pd.testing.assert_frame_equal(everyone.frame, bare.frame)
    assert everyone.guessed == 14
    assert everyone.frame["label_is_guess"].all()


def test_known_repeated_and_unusable_rows_are_left_out_and_counted(opened, data, tmp_path):
    with Path(data["train"]).open(encoding="utf-8", newline="") as file:
        train = list(csv.reader(file))[1]
    with Path(data["test"]).open(encoding="utf-8", newline="") as file:
        test = list(csv.reader(file))[3]
    table = [
        *NEW[:3], ("seen", train[1], "pos"), ("leak", test[1], "neg"), ("again", NEW[0][1], NEW[0][2]), ("empty", " ", "pos"),
        ("odd", "a lovely plot twist", "meh"),
    ]  # fmt: skip
    ranking = rank_candidates(opened, written(tmp_path, table))
    left = ranking.frame[ranking.frame["rank"].isna()]
    assert dict(zip(left["example_id"], left["left_out"], strict=True)) == {
        "seen": "in training", "leak": "in the test split", "again": "repeated", "empty": "unusable", "odd": "unknown label",
    }  # fmt: skip
    assert left[["score", "words", "mistake_id", "predicted"]].isna().all().all()
    assert ranking.frame["rank"].dropna().tolist() == [1, 2, 3]
    assert ranking.notes[1:] == [
        "left out: 1 row whose text is in training already",
        "left out: 1 row whose text is in the test split (to train on them would be a leak)",
        "left out: 1 row standing earlier in the file, too",
        "left out: 1 row with a label that the workspace does not know",
        "left out: 1 row that cannot be used",
    ]


def test_words_are_lit_for_the_first_rows_only(opened, new):
    frame = rank_candidates(opened, new, CandidateSettings(top=3)).frame
    assert frame["words"].notna().tolist() == [True] * 3 + [False] * 11
    for row in frame.head(3).itertuples():
        assert sum(word["score"] for word in row.words) == pytest.approx(row.score, rel=1e-12)
        assert {word["word"] for word in row.words} <= {*row.text.split(), "[CLS]", "[SEP]"}


def test_files_are_read_again_as_written_and_cells_are_harmless(opened, tmp_path):
    table = [("=1+1", NEW[0][1], NEW[0][2]), *NEW[1:]]
    ranking = rank_candidates(opened, written(tmp_path, table), CandidateSettings(top=5))
    (tmp_path / "out.parquet").write_bytes(as_parquet(ranking))
    again = read_ranking(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(
        again.frame.drop(columns="words"), ranking.frame.drop(columns="words"), check_exact=True, check_dtype=False
    )
    assert [None if words is None else list(words) for words in again.frame["words"]] == ranking.frame["words"].tolist()
    assert (again.settings, again.tests, again.wrong, again.notes) == (
        ranking.settings, ranking.tests, ranking.wrong, ranking.notes,
    )  # fmt: skip
    read = list(csv.DictReader(as_csv(ranking).decode().splitlines()))
    assert {row["example_id"] for row in read} == {"'=1+1", *(id for id, *_ in NEW[1:])}
    first = ranking.frame.iloc[0]
    assert read[0]["words"] == "; ".join(f"{one['word']} {one['score']:+.4g}" for one in first["words"])
    with pytest.raises(DataError, match="is no ranking of candidates"):
        read_ranking(Path(written(tmp_path, table)))


def test_the_command_prints_and_writes_what_the_function_finds(workspace, opened, new, tmp_path, capsys):
    out = tmp_path / "ranked.parquet"
    options = ["candidates", "--workspace", str(workspace), "--candidates", new]
    assert main([*options, "--for", "wrong", "--output", str(out), "--top", "4", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    frame = opened.candidates(new, top=4)
    assert (printed["tests"], printed["ranked"], printed["guessed"], printed["left_out"]) == (frame.attrs["tests"], 14, 0, {})
    assert [row["example_id"] for row in printed["candidates"]] == frame["example_id"].tolist()[:4]
    assert [row["words"] for row in printed["candidates"]] == frame["words"].tolist()[:4]
    assert read_ranking(out).frame["score"].tolist() == frame["score"].tolist()
    assert (
        main(["candidates", "--workspace", str(workspace), "--data", new, "--unlabelled", "--test-id", "te1", "--top", "2"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "14 rows, ranked by how much they help 1 chosen test sentence (tracin-we-topk, influence)",
        "14 without a label: scored by the most probable one, marked with ?",
    ]
    assert len([line for line in lines if "?]" in line]) == 2


@pytest.mark.parametrize(
    ("settings", "role", "error", "said"),
    [
        ({"top": 0}, {}, SettingsError, "--top 0: must be 1 or more"),
        ({"method": "bm25"}, {}, SettingsError, "--method bm25: candidates are scored by one of tracin-we-topk"),
        ({"rank": "best"}, {}, SettingsError, "--rank best: choose one of influence, relative, alike"),
        ({"test_ids": ("te1",), "label": "pos"}, {}, SettingsError, "leave --given and --predicted out"),
        ({"test_ids": ("nobody",)}, {}, QueryError, "unknown test id 'nobody'"),
        ({"label": "meh"}, {}, QueryError, "unknown label 'meh'"),
        ({"label": "pos", "predicted": "pos"}, {}, QueryError, "no wrong test predictions of 'pos' predicted 'pos'"),
        ({}, {"text": "body"}, DataError, "--text 'body': "),
        ({}, {"label": "id"}, DataError, "column 'id' holds no label that the workspace knows, the first is 'new0'"),
        ({}, {"text_pair": "text"}, DataError, "--text-pair 'text': this workspace classifies single texts"),
        ({}, {"id": "label"}, DataError, "--id 'label': "),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(opened, new, settings, role, error, said):
    with pytest.raises(error) as found:
        rank_candidates(opened, new, CandidateSettings(**settings), role=Role(**role))
    assert said in str(found.value)
    assert "\n" not in str(found.value)


def test_files_that_do_not_fit(opened, opened_pairs, new, data, tmp_path):
    with pytest.raises(DataError, match="classifies pairs of texts; it has 'id', 'text', 'label'; name the second"):
        rank_candidates(opened_pairs, new)
    with pytest.raises(DataError, match="no row is left to rank: 80 rows whose text is in training already"):
        rank_candidates(opened, data["train"])
    other = written(
        tmp_path,
        [("a good film", "red"), ("a bad film", "red"), ("so very dull", "blue"), ("the plot", "blue")],
        ("what", "colour"),
    )
    ranking = rank_candidates(opened, other)
    assert ranking.notes == ["read text from 'what'"]
    assert ranking.guessed == 4


def test_a_guessed_id_that_is_none_gives_way_to_row_numbers(opened, tmp_path):
    ranking = rank_candidates(opened, written(tmp_path, [("same", text, label) for _, text, label in NEW]))
    assert set(ranking.frame["example_id"]) == {str(number) for number in range(14)}
    assert "column 'id' has repeated values, so rows are named by their numbers, from 0" in ranking.notes


def test_texts_with_commas_are_texts_not_several_labels(opened, tmp_path):
    table = [
        (f"c{n}", f"{a}, {b}") for n, (a, b) in enumerate([("good", "bad"), ("bad", "good"), ("good", "fine"), ("fine", "bad")])
    ]
    ranking = rank_candidates(
        opened, written(tmp_path, [*table, ("one", "good"), ("two", "bad"), ("three", "fine")], ("id", "text"))
    )
    assert ranking.guessed == 7
