"""What-ifs: what a proposal takes, that it is what `apply` would do, and the arithmetic of before and after."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny import write_csv

from influence import open_workspace
from influence.cli import main
from influence.data.masking import mask
from influence.errors import DataError, QueryError, SettingsError, WorkspaceError
from influence.experiments.proposals import of_fixes, propose, spec_of_rule
from influence.experiments.trials import Ranking
from influence.experiments.whatif import flips_of, measured, models_left, outcomes, try_out
from influence.experiments.whatif_report import as_text, verdict
from influence.experiments.whatif_tables import FILE, WhatIfStore
from influence.explanations import explain
from influence.explanations.scores import scores_of
from influence.files import load_array
from influence.fixes.apply import apply_fixes
from influence.fixes.files import write_fixes
from influence.fixes.fixlist import fix_list
from influence.reading import read_table
from influence.retraining import open_store, retrain, runner, tables, time_expected
from influence.retraining.change import Change, Run
from influence.review.corpus import Corpus
from influence.review.events import Reviewer
from influence.review.log import ReviewLog
from influence.review.reviews import Reviews
from influence.rules.rule import Rule

ROOT = Path(__file__).parents[2]
ANN = Reviewer(name="Ann")


@pytest.fixture
def own(copied):
    """A copy of the tiny workspace, opened."""
    return open_workspace(copied())


@pytest.fixture
def reviews(own):
    opened = Reviews(own, ReviewLog(own.path, wait=0))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def tried(workspace, tmp_path_factory):
    """A workspace with one what-if: three seeds, two sentences."""
    import shutil

    path = Path(shutil.copytree(workspace, tmp_path_factory.mktemp("tried") / "tiny"))
    opened = open_workspace(path)
    outcome = try_out(opened, propose(opened, "opponents:te1:5"), test_ids=["te3"], seeds=3)
    return opened, outcome


# Proposals


def test_opponents_are_those_that_explore_shows(own):
    rows = {id: row for row, id in enumerate(own.train_ids())}
    expected = [rows[one.train.id] for one in explain(own, test_id="te1", top=5).opponents]
    found = propose(own, "opponents:te1:5")
    assert found.change == Change(removed=tuple(expected))
    assert found.counts == {"removed": 5, "relabelled": 0, "masked": 0}
    assert found.test_ids == ("te1",)
    assert sum(found.before.values()) - sum(found.after.values()) == 5


def test_words_are_the_most_negative_of_each_opponent(own):
    rows = {id: row for row, id in enumerate(own.train_ids())}
    found = dict(propose(own, "words:te1:5").change.masked)
    assert found
    for one in explain(own, test_id="te1", top=5).opponents:
        sums: dict[str, float] = {}
        for word, score in one.train_words().items():
            if one.train.words[word].side >= 0:  # all occurrences of a word together
                sums[one.train.words[word].text] = sums.get(one.train.words[word].text, 0) + score
        worst = min(sums, key=sums.__getitem__)
        if sums[worst] < 0 and mask(one.train.text, [worst]).strip():
            assert found[rows[one.train.id]] == (worst,)
        else:
            assert rows[one.train.id] not in found


def test_decided_is_what_apply_does(own, reviews, data, tmp_path):
    corpus = Corpus(own)
    ids = list(corpus.examples)
    other = {"neg": "pos", "pos": "neg"}
    reviews.decide(ANN, ids[3], "remove")
    reviews.decide(ANN, ids[7], "relabel", new_label=other[corpus[ids[7]].label])
    word = corpus[ids[9]].text.split()[0]
    reviews.decide(ANN, ids[9], "mask", words=[word])
    reviews.decide(ANN, ids[11], "keep")
    found = propose(own, "decided", reviews=reviews)
    file = tmp_path / "fixes.jsonl"
    write_fixes(fix_list(reviews).fixes, file)
    assert of_fixes(own, str(file)).change == found.change

    apply_fixes(str(file), data["train"], str(tmp_path / "out.csv"))
    before, after = (read_table(str(path), split="train").columns for path in (data["train"], tmp_path / "out.csv"))
    expected = []
    for row, (id, text, label) in enumerate(zip(before["id"], before["text"], before["label"], strict=True)):
        if row in found.change.removed:
            continue
        label = own.info.labels[dict(found.change.relabelled)[row]] if row in dict(found.change.relabelled) else label
        expected.append((id, mask(text, dict(found.change.masked).get(row, ())), label))
    assert list(zip(after["id"], after["text"], after["label"], strict=True)) == expected


def test_a_rule_proposes_every_example_that_it_would_change(own):
    rule = Rule(by="words", pattern="awful", action="relabel", new_label="pos", only_label="neg")
    found = propose(own, spec_of_rule(rule))
    rows = [
        row
        for row, example in enumerate(Corpus(own).examples.values())
        if "awful" in example.text.split() and example.label == "neg"
    ]
    assert [row for row, _ in found.change.relabelled] == rows
    assert {label for _, label in found.change.relabelled} == {own.info.labels.index("pos")}
    assert propose(own, found.spec).change == found.change


@pytest.mark.parametrize(
    ("spec", "error", "says"),
    [
        ("decided", WorkspaceError, "no decisions yet"),
        ("all", SettingsError, "begins with one of"),
        ("opponents:te1", SettingsError, "spell it opponents:TEST_ID:K"),
        ("opponents:te1:0", SettingsError, "spell it"),
        ("opponents:nobody:5", QueryError, "unknown test id 'nobody'"),
        ("cluster:x:remove", SettingsError, "spell it cluster:NUMBER:remove"),
        ("cluster:1:remove", WorkspaceError, "no clusters yet"),
        ("rule:{", SettingsError, "JSON"),
        ('rule:{"by":"words","pattern":"film","action":"keep"}', SettingsError, "changes nothing"),
        ('rule:{"by":"sql","pattern":"label = \'neg\'","action":"remove"}', SettingsError, "no example of 'neg' would be left"),
        ("top:bm25", SettingsError, "spell it top:TEST_ID:METHOD"),
        ("top:te1:magic", QueryError, "magic"),
        ("top:nobody:bm25", QueryError, "unknown test id 'nobody'"),
        ("top:te1:tracin-we-adam", QueryError, "optimizer"),
        ("rule:" + "x" * 3_000, SettingsError, "begins with one of"),
    ],
)
def test_what_cannot_be_proposed(own, spec, error, says):
    with pytest.raises(error, match=says.replace("(", r"\(")):
        propose(own, spec)


def test_keeping_everything_is_no_change(own, reviews):
    reviews.decide(ANN, own.train_ids()[0], "keep")
    with pytest.raises(SettingsError, match="nothing is decided that changes the data: 1 examples are kept"):
        propose(own, "decided", reviews=reviews)


def test_a_fix_list_of_other_data_is_refused(own, reviews, tmp_path):
    reviews.decide(ANN, own.train_ids()[3], "remove")
    file = tmp_path / "fixes.jsonl"
    write_fixes(fix_list(reviews).fixes, file)
    row = json.loads(file.read_text())
    for name, value, says in (("example_id", "gone", "no example with the id"), ("old_label", "neutral", "another label")):
        file.write_text(json.dumps({**row, name: value}) + "\n")
        with pytest.raises(DataError, match=says):
            of_fixes(own, str(file))


# Before and after


def test_measures_by_hand(tried):
    """Two seeds, the whole split, counted with loops."""
    workspace, _ = tried
    generator = np.random.default_rng(5)
    before_SMY, after_SMY = (generator.dirichlet([1, 1], size=(2, workspace.info.n_test)).astype(np.float32) for _ in range(2))
    labels_M = load_array(workspace.build / "index" / "test" / "labels.npy")
    found = measured(workspace, before_SMY, after_SMY, labels_M, {"te4": 4})
    by_kind = {(m.kind, m.name, m.label): m.paired for m in found}
    own = workspace.info.labels[labels_M[4]]
    assert by_kind["test", "te4", own].before_S == tuple(float(before_SMY[s, 4, labels_M[4]]) for s in range(2))
    for index, label in [(None, ""), *enumerate(workspace.info.labels)]:
        kind = "accuracy" if index is None else "class"
        for side, probabilities_SMY in (("before_S", before_SMY), ("after_S", after_SMY)):
            expected = []
            for seed in range(2):
                chosen = [m for m in range(len(labels_M)) if index in (None, labels_M[m])]
                right = [m for m in chosen if probabilities_SMY[seed, m, labels_M[m]] > 0.5]
                expected.append(len(right) / len(chosen))
            assert getattr(by_kind[kind, "", label], side) == pytest.approx(expected)
    gains = {}
    for m in range(len(labels_M)):
        gains[f"te{m}"] = np.mean([after_SMY[s, m, labels_M[m]] - before_SMY[s, m, labels_M[m]] for s in range(2)])
    del gains["te4"]  # shown anyway
    ranked = sorted(gains, key=lambda id: -gains[id])
    moved = [m.name for m in found if m.kind == "moved"]
    assert moved == [*(id for id in ranked[:5] if gains[id] > 0), *(id for id in ranked[::-1][:5] if gains[id] < 0)]


def test_flips_by_hand():
    labels_M = np.array([0, 1, 1])
    before = np.eye(2)[[[0, 0, 1], [1, 1, 1]]]  # right, wrong, right; wrong, right, right
    after = np.eye(2)[[[1, 1, 1], [1, 1, 0]]]
    assert flips_of(before, after, labels_M) == (0.5, 1.0, 2.0)  # one of two seeds mends; each breaks one; controls differ on two


def test_the_outcome_is_that_of_the_retrainings(tried):
    workspace, outcome = tried
    change = propose(workspace, "opponents:te1:5").change
    labels_M = load_array(workspace.build / "index" / "test" / "labels.npy")
    [row] = [row for row in range(len(labels_M)) if row == 1]
    for side, which in (("before_S", Change()), ("after_S", change)):
        runs = {result.run.seed: result for result in retrain(workspace, [Run(seed, which) for seed in outcome.seeds])}
        assert all(result.reused for result in runs.values())
        expected = [float(runs[seed].probabilities_MY[row, labels_M[row]]) for seed in outcome.seeds]
        assert getattr(outcome.of("test")[0].paired, side) == pytest.approx(expected)
    assert (outcome.trained, len(outcome.seeds)) == (6, 3)
    assert [m.name for m in outcome.of("test")] == ["te1", "te3"]


def test_it_is_kept_and_found_again(tried):
    workspace, outcome = tried
    assert outcomes(workspace) == [outcome]


def test_before_anything_was_retrained_a_model_takes_what_training_took(own, monkeypatch):
    monkeypatch.setattr(runner, "busy", lambda: 0.0)
    assert time_expected(own, 4) == (4 * own.info.training_seconds, False)
    monkeypatch.setattr(runner, "busy", lambda: 3.0 * runner.cores_there() - runner.cores())
    assert time_expected(own, 4)[0] == pytest.approx(3 * 4 * own.info.training_seconds)
    monkeypatch.setattr(runner, "busy", lambda: 0.0)
    own.info = replace(own.info, training_seconds=None)  # as an older build is read
    assert time_expected(own, 1) == (own.info.seconds, False)


def test_a_time_without_a_processor_s_goes_by_what_passed(own, monkeypatch):
    """As an older version has kept it, and as a GPU has it."""
    monkeypatch.setattr(tables.RetrainingStore, "latest_seconds", lambda _: (60.0, None))
    monkeypatch.setattr(runner, "cores", lambda: 2)
    assert time_expected(own, 6) == (6 * 60.0 / 2, True)
    assert time_expected(own, 1) == (60.0, True)
    own.info = replace(own.info, settings={**own.info.settings, "device": "cuda"})
    assert time_expected(own, 6) == (360.0, True)


def test_the_workspace_s_own_seed_is_left_out(tried):
    workspace, outcome = tried
    assert workspace.info.settings["training"]["seed"] not in outcome.seeds


def test_the_same_question_again_trains_nothing_and_takes_its_place(tried):
    workspace, outcome = tried
    change = propose(workspace, "opponents:te1:5").change
    assert models_left(workspace, change, 3) == 0
    assert models_left(workspace, Change(removed=(1,)), 4) == 5  # one more control, four with the change
    seconds, timed = time_expected(workspace, 1)
    assert timed
    assert seconds > open_store(workspace).latest_seconds()[1] > 0
    again = try_out(workspace, propose(workspace, "opponents:te1:5"), test_ids=["te3"], seeds=3)
    assert (again.trained, again.measures) == (0, outcome.measures)
    assert outcomes(workspace) == [again]


def test_words_for_it(tried):
    _, outcome = tried
    text = as_text(outcome)
    assert text.splitlines()[0] == "Remove the 5 strongest opponents of te1: 5 removed; 3 seeds, without and with the change"
    first = outcome.of("test")[0]
    assert verdict(first) in text
    assert ("more than the choice of a seed explains" in verdict(first)) == first.paired.told_apart


def test_two_seeds_tell_nothing_and_say_so(tried):
    workspace, _ = tried
    outcome = try_out(workspace, propose(workspace, "opponents:te1:5"), seeds=2)
    first = outcome.of("test")[0]
    assert verdict(first).endswith(". Whether that is more than luck cannot be told from 2 seeds: it takes 3 or more.")
    assert "95% interval" not in verdict(first)
    assert all(measure.paired.interval is None for measure in outcome.measures)


# A ranking put to the test


@pytest.fixture(scope="module")
def ranked(tried):
    workspace, _ = tried
    return {method: try_out(workspace, propose(workspace, f"top:te1:{method}"), seeds=3) for method in ("bm25", "random")}


@pytest.mark.parametrize("method", ["bm25", "random"])
def test_qld_by_hand(tried, ranked, method):
    """80 training examples: the one with the highest score goes, and of random ones the highest of each seed's own draw."""
    workspace, _ = tried
    label = load_array(workspace.build / "index" / "test" / "labels.npy")[1]

    def highest(method, seed):
        return int(np.argmax(scores_of(workspace, method, [1], draw=seed)[0]))

    def losses(*removed_S):
        found = []
        for seed, removed in zip(ranked[method].seeds, removed_S, strict=True):
            [result] = retrain(workspace, [Run(seed, Change(removed=removed))])
            assert result.reused
            found.append(-np.log(float(result.probabilities_MY[1, label])))
        return np.array(found)

    seeds = ranked[method].seeds
    none, top, random = (
        losses(*removed)
        for removed in ([()] * 3, [(highest(method, seed),) for seed in seeds], [(highest("random", seed),) for seed in seeds])
    )
    assert len({highest("random", seed) for seed in seeds}) > 1
    for kind, differences in (("rise", top - none), ("random", random - none), ("qld", top - random)):
        [measure] = ranked[method].of(kind)
        assert (measure.name, measure.label) == ("te1", workspace.info.labels[label])
        half = 4.302653 * differences.std(ddof=1) / np.sqrt(3)  # Student's t with two degrees of freedom
        assert measure.paired.difference == pytest.approx(differences.mean())
        assert measure.paired.interval == pytest.approx((differences.mean() - half, differences.mean() + half), abs=1e-6)
    assert ranked[method].method == method
    if method == "random":
        assert ranked[method].of("qld")[0].paired.difference == 0  # it is its own control


def test_as_many_random_ones_as_the_method_takes(own):
    """Where fewer have a score above 0 than 1 % are, fewer random ones go, too; seeds draw others."""
    without = [Change(removed=(1, 2)), Change(removed=(3,))]
    drawn = Ranking("bm25", 1).as_many_random(own, without, [5, 6])
    assert [len(one.removed) for one in drawn] == [2, 1]
    for one, seed in zip(drawn, (5, 6), strict=True):
        order = np.argsort(-scores_of(own, "random", [1], draw=seed)[0])
        assert one == Change(removed=tuple(order[: len(one.removed)].tolist()))


def test_a_ranking_is_kept_and_asked_again_for_nothing(tried, ranked):
    workspace, _ = tried
    assert [one for one in outcomes(workspace) if one.method] == [ranked["random"], ranked["bm25"]]
    proposal = propose(workspace, "top:te1:bm25")
    assert models_left(workspace, proposal.change, 3, proposal.ranking) == 0
    assert models_left(workspace, proposal.change, 4, proposal.ranking) == proposal.models == 3


def test_words_for_a_ranking(ranked):
    [qld] = ranked["bm25"].of("qld")
    said = verdict(qld)
    sign = f"{qld.paired.difference:+.3f}".replace("-", "−")
    assert said.startswith(
        f"te1: its loss is {qld.paired.after:.3f} without the top 1%, "
        f"and {qld.paired.before:.3f} without as many random: {sign} (95% interval "
    )
    assert said in as_text(ranked["bm25"])
    assert "loss with all, without the top 1%" in as_text(ranked["bm25"])
    assert verdict(ranked["random"].of("qld")[0]).endswith("There is no difference that more seeds could confirm.")


@pytest.mark.parametrize("writable", [True, False])
def test_what_ifs_from_before_rankings_are_read(own, monkeypatch, writable):
    """A file of the third version is migrated where it may be written to, and read as it is where not."""
    monkeypatch.setattr(WhatIfStore, "migrations", WhatIfStore.migrations[:3])
    facts = {"title": "old", "counts": {}, "before": {}, "after": {}, "notes": [], "seeds": [1], "trained": 0, "seconds": 0.0}
    facts |= {"fixed": 0.0, "broken": 0.0, "control_flips": None}
    with WhatIfStore(own.path / FILE, read_only=False) as file, file.transaction() as cursor:
        about = [own.build.name, json.dumps(facts)]
        cursor.execute("insert into outcomes values ('a', ?, 'opponents:te1:5', 'c', '2026-01-01', ?)", about)
        cursor.execute("insert into measures values ('a', 0, 'accuracy', '', '', 1, 0.5, 0.75)")
    monkeypatch.undo()
    if writable:
        WhatIfStore(own.path / FILE, read_only=False).close()
    [found] = outcomes(own)
    assert (found.title, found.method, found.spec) == ("old", "", "opponents:te1:5")
    assert [(one.kind, one.paired.difference) for one in found.measures] == [("accuracy", 0.25)]


# The command


def test_the_command_says_qld(tried, ranked, capsys):
    workspace, _ = tried
    code, out, _ = run(capsys, "--workspace", workspace.path, "--change", "top:te1:bm25", "--seeds", 3, "--json")
    found = json.loads(out)
    assert (code, found["method"], found["trained"]) == (0, "bm25", 0)
    by_kind = {one["kind"]: one for one in found["measures"] if one["unit"] == "nats"}
    assert set(by_kind) == {"qld", "rise", "random"}
    for kind, one in by_kind.items():
        [measure] = ranked["bm25"].of(kind)
        assert (one["test_id"], one["difference"]) == ("te1", pytest.approx(measure.paired.difference))
        assert one["interval"] == pytest.approx(list(measure.paired.interval))


def run(capsys, *arguments):
    code = main(["retrain", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_the_command_prints_json(tried, capsys):
    workspace, outcome = tried
    question = ("--change", "opponents:te1:5", "--test-id", "te3", "--seeds", 3)
    code, out, _ = run(capsys, "--workspace", workspace.path, *question, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["seeds"] == outcome.seeds
    [first, *_] = found["measures"]
    assert (first["kind"], first["test_id"]) == ("test", "te1")
    assert first["difference"] == pytest.approx(outcome.of("test")[0].paired.difference)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--decided"], "no decisions yet"),
        (["--change", "opponents:te1:5", "--test-id", "te99"], "unknown test id 'te99'"),
        (["--change", "opponents:te1:5", "--seeds", "0"], "--seeds 0"),
        (["--change", "opponents:te1:5", "--seeds", "51"], "--seeds 51"),
        (["--change", 'rule:{"by":"sql","pattern":"label = \'pos\'","action":"remove"}'], "no example of 'pos' would be left"),
        (["--fixes", "nowhere.csv"], "no such file"),
    ],
)
def test_bad_input_is_one_line(own, capsys, options, says):
    code, out, err = run(capsys, "--workspace", own.path, *options)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not (own.path / FILE).exists()


def test_a_fix_list_whose_hashes_do_not_match_is_refused(own, reviews, capsys, tmp_path):
    reviews.decide(ANN, own.train_ids()[3], "remove")
    file = tmp_path / "fixes.jsonl"
    write_fixes(fix_list(reviews).fixes, file)
    row = json.loads(file.read_text())
    file.write_text(json.dumps({**row, "text": row["text"] + "!"}) + "\n")
    code, _, err = run(capsys, "--workspace", own.path, "--fixes", file)
    assert code == 2
    assert "does not fit its hash" in err


@pytest.mark.slow
def test_a_killed_command_leaves_no_answer(data, tmp_path):
    """Killed while it trains: no what-if, no half a retraining; the next one goes on from what was finished."""
    from tiny import request, rows

    from influence.workspace.build import build_workspace
    from influence.workspace.build_request import training_settings

    train = write_csv(tmp_path / "train.csv", rows(800, seed=3))
    training = training_settings("cnn", epochs=4, learning_rate=0.02, batch_size=8)
    build_workspace(tmp_path / "w", request(data, train=train, training=training))
    command = [sys.executable, "-m", "influence", "retrain", "--workspace", str(tmp_path / "w"), "--change", "opponents:te1:5"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    for line in process.stderr:
        if " of " in line and not line.startswith("retrain: 0 of"):
            break
    os.killpg(process.pid, signal.SIGTERM)
    process.wait(timeout=20)
    process.stderr.close()
    opened = open_workspace(tmp_path / "w")
    assert outcomes(opened) == []
    assert models_left(opened, propose(opened, "opponents:te1:5").change, 3) > 0
    assert try_out(opened, propose(opened, "opponents:te1:5"), seeds=1).trained <= 2
    assert len(outcomes(opened)) == 1
