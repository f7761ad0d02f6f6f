"""Targeted fixing (appendix L): which mistakes, what is tried on them, and the curves against a slow count."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from tiny import request, rows, write_csv

from influence import METHODS, TestFilter, open_workspace
from influence.cli import main
from influence.cli.options import records
from influence.errors import QueryError, SettingsError
from influence.experiments.settings import RANDOM, FixingSettings
from influence.experiments.targeted import fix_mistakes, fixing_beyond, fixing_curves, fixings, masks_words, mistakes
from influence.experiments.trials import NO_CHANGE
from influence.workspace.build import build_workspace

OTHER = {"neg": "pos", "pos": "neg"}
SETTINGS = FixingSettings(methods=("tracin-we-topk", "tracin-last"), ks=(2, 6), test_points=2, retrains=2)


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A workspace with a fifth of the labels wrong, in both splits."""
    folder = tmp_path_factory.mktemp("noisy")
    generator = np.random.default_rng(0)
    data = {}
    for split, n, seed in (("train", 60, 1), ("test", 40, 2)):
        made = rows(n, seed=seed, prefix=split[:2])
        made = [
            (id, text, {"neg": "pos", "pos": "neg"}[label] if generator.random() < 0.2 else label) for id, text, label in made
        ]
        data[split] = write_csv(folder / f"{split}.csv", made)
    build_workspace(folder / "noisy", request(data))
    return open_workspace(folder / "noisy")


@pytest.fixture(scope="module")
def fixed(noisy):
    return fix_mistakes(noisy, SETTINGS)


def test_the_mistakes_are_those_that_are_not_hopeless(noisy):
    _, page = noisy.search_tests(TestFilter(), limit=1_000)
    positions = noisy.store.positions("test", [str(id) for id in page["id"]])
    expected = set()
    for row in page.to_dict("records"):
        example = noisy.store.examples("test", [positions[row["id"]]])[positions[row["id"]]]
        true = dict(zip(noisy.info.labels, example.probabilities, strict=True))[row["label"]]
        if row["wrong"] and 0.3 <= true <= 0.7:
            expected.add(positions[row["id"]])
    assert set(mistakes(noisy).tolist()) == expected
    assert len(expected) >= SETTINGS.test_points


def test_everything_is_tried_on_every_mistake(fixed):
    counts = fixed.runs.groupby(["method", "way", "k"]).size()
    runs = SETTINGS.test_points * SETTINGS.retrains
    ways = [(method, way) for method in SETTINGS.methods for way in ("remove", "mask")]
    assert dict(counts) == {("no change", "", 0): runs, **{(*way, k): runs for way in ways for k in SETTINGS.ks}}


@pytest.mark.parametrize("method", ["tracin-we-topk", "tracin-last"])
def test_the_word_that_is_masked_is_the_most_negative_one(noisy, fixed, method):
    """Every masking looked up: the words' scores, the lowest sum of one of the text's own below 0, the same retraining."""
    from influence.explanations import explain, score_words, sentences
    from influence.retraining import retrain
    from influence.retraining.change import Change, Run

    places = {id: place for place, id in enumerate(noisy.train_ids())}
    masked = fixed.runs[(fixed.runs["method"] == method) & (fixed.runs["way"] == "mask")]
    assert len(masked) == 2 * 2 * 2
    for row in masked.to_dict("records"):
        at = noisy.store.positions("test", [row["test_id"]])[row["test_id"]]
        opponents = explain(noisy, test_id=row["test_id"], method=method, top=row["k"]).opponents
        rows = [places[one.train.id] for one in opponents]
        if method == "tracin-last":
            scores = score_words(noisy, method, {at: rows})[at]
        else:
            scores = [one.train_words() for one in opponents]
        there, words = sentences(noisy, "train", rows), {}
        for place, own in zip(rows, scores, strict=True):
            sentence = there[place]
            parts = {word.text: 0.0 for word in sentence.words if word.side >= 0}  # the fixture writes lower case only
            for word, part in own.items():
                if sentence.words[word].side >= 0:
                    parts[sentence.words[word].text] += part  # a word is all its occurrences (eq. 4)
            lowest = min(parts, key=lambda text: (parts[text], text))
            if parts[lowest] < 0 and len(parts) > 1:
                words[place] = (lowest,)
        assert row["changed"] == len(words)
        [result] = retrain(noisy, [Run(int(row["seed"]), Change(masked=tuple(words.items())))])
        assert result.reused
        label = noisy.info.labels.index(noisy.store.examples("test", [at])[at].label)
        assert row["probability"] == pytest.approx(float(result.probabilities_MY[at, label]))


def test_it_is_kept(noisy, fixed):
    [found] = fixings(noisy)
    assert (found.id, found.settings["ks"], found.settings["test_points"]) == (fixed.id, [2, 6], 2)
    pd.testing.assert_frame_equal(found.runs, fixed.runs)


def test_it_is_what_a_retraining_says(noisy, fixed):
    """One row looked up: remove the opponents of one mistake, retrain with one seed, read the prediction."""
    from influence.explanations import explain
    from influence.retraining import retrain
    from influence.retraining.change import Change, Run

    wanted = fixed.runs[(fixed.runs["method"] == "tracin-we-topk") & (fixed.runs["way"] == "remove") & (fixed.runs["k"] == 6)]
    row = wanted.iloc[0]
    places = {id: place for place, id in enumerate(noisy.train_ids())}
    opponents = [places[one.train.id] for one in explain(noisy, test_id=row["test_id"], top=6).opponents]
    [result] = retrain(noisy, [Run(int(row["seed"]), Change(removed=tuple(opponents)))])
    assert result.reused
    at = noisy.store.positions("test", [row["test_id"]])[row["test_id"]]
    label = noisy.info.labels.index(noisy.store.examples("test", [at])[at].label)
    assert row["probability"] == pytest.approx(float(result.probabilities_MY[at, label]))
    assert bool(row["fixed"]) == (result.probabilities_MY[at].argmax() == label)


def test_the_curves_are_counted_right(fixed):
    curves = fixing_curves(fixed.runs)
    assert len(curves) == 13
    control = fixed.runs[fixed.runs["method"] == "no change"]
    for row in curves.to_dict("records"):
        here = [
            r for r in fixed.runs.to_dict("records") if (r["method"], r["way"], r["k"]) == (row["method"], row["way"], row["k"])
        ]
        shares = []
        for test_id in sorted({r["test_id"] for r in here}):
            of_test = [r["fixed"] for r in here if r["test_id"] == test_id]
            shares.append(sum(of_test) / len(of_test))
        assert row["fixed"] == pytest.approx(sum(shares) / len(shares))
        assert math.isnan(row["low"])  # two mistakes and two seeds say too little of others
        assert math.isnan(row["high"])
        changes = [r["accuracy"] - control[control["seed"] == r["seed"]]["accuracy"].iloc[0] for r in here]
        assert row["accuracy"] == pytest.approx(sum(changes) / len(changes))
        assert row["changed"] == sum(r["changed"] for r in here) / len(here)
        assert 0 <= row["changed"] <= row["k"]


def test_what_is_mended_beyond_a_control_is_paired_by_mistake_and_seed(fixed):
    rows = fixed.runs.to_dict("records")
    here = {(r["method"], r["way"], r["k"], r["test_id"], r["seed"]): float(r["fixed"]) for r in rows}
    tests, seeds = sorted({r["test_id"] for r in rows}), sorted({r["seed"] for r in rows})
    for control, what in ((RANDOM, ("remove", 6)), (NO_CHANGE, ("", 0))):
        found = fixing_beyond(fixed.runs, "tracin-we-topk", "remove", 6, control)
        own = [[here["tracin-we-topk", "remove", 6, test, seed] for seed in seeds] for test in tests]
        other = [[here[control, *what, test, seed] for seed in seeds] for test in tests]
        np.testing.assert_array_equal(found.values_MS, np.subtract(own, other))
    assert fixing_beyond(fixed.runs, "bm25", "remove", 6, RANDOM) is None


def test_what_has_no_words_at_all_masks_none(noisy):
    assert [method for method in METHODS if not masks_words(method)] == [
        method for method, one in METHODS.items() if one.slow or one.needs == "texts" or method == "random-same-label"
    ]
    made = fix_mistakes(noisy, FixingSettings(methods=("tracin-tfidf",), ks=(2,), test_points=2, retrains=1))
    assert set(zip(made.runs["method"], made.runs["way"], strict=True)) == {
        ("no change", ""), ("tracin-tfidf", "remove"), ("random", "remove"), ("random", "mask")
    }  # fmt: skip


def test_stopped_it_leaves_nothing(noisy, tmp_path):
    before = len(fixings(noisy))

    def interrupting(stage, _done, _total):
        if stage == "retrain":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fix_mistakes(noisy, FixingSettings(ks=(3,), test_points=2, retrains=2), progress=interrupting)
    assert len(fixings(noisy)) == before


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"ks": ()}, SettingsError, "--k"),
        ({"ks": (0,)}, SettingsError, "--k 0"),
        ({"test_points": 0}, SettingsError, "--test-points 0"),
        ({"retrains": 0}, SettingsError, "--retrains 0"),
        ({"ways": ("burn",)}, SettingsError, "--ways burn"),
        ({"methods": ("magic",)}, QueryError, "unknown method 'magic'"),
        ({"seed": -1}, SettingsError, "--seed -1"),
    ],
)
def test_impossible_settings(change, error, says):
    with pytest.raises(error, match=says):
        FixingSettings(**change)


@pytest.mark.parametrize(
    ("option", "value", "says"), [("--k", "60", "--k 60"), ("--test-points", "39", "only"), ("--k", "x", "--k")]
)
def test_settings_that_do_not_fit_are_one_line(noisy, capsys, option, value, says):
    options = {"--k": "2", "--test-points": "2", "--retrains": "1", option: value}
    code = main(["fixing", "--workspace", str(noisy.path), *(part for pair in options.items() for part in pair)])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1


def test_the_command_prints_curves(noisy, fixed, capsys):
    options = ["--methods", "tracin-we-topk,tracin-last", "--k", "2,6", "--test-points", "2", "--retrains", "2", "--json"]
    assert main(["fixing", "--workspace", str(noisy.path), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    expected = records(fixing_curves(fixed.runs))  # missing ends are null
    assert len(found["curves"]) == len(expected)
    for one, other in zip(found["curves"], expected, strict=True):
        assert one == pytest.approx(other)
