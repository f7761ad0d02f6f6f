"""Proof's question whether scores can be trusted, under AppTest: one button to find out, and each proof as the engine has it."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from conftest import parameters_of, shown

import influence
from influence.experiments import Evaluation, OverlapSettings, measure_overlaps, overlap_table, overlaps
from influence.experiments.evaluation import evaluate, evaluation_tables
from influence.experiments.settings import EvaluationSettings, FixingSettings
from influence.experiments.targeted import fix_mistakes, fixing_curves, fixings, mistakes
from influence.explanations.cancellation import cancellation_table, write_cancellation
from pages.ui.jobs import background
from pages.ui.proof.trust import charts, run, wording


@pytest.fixture(scope="module")
def proven(workspaces, tmp_path_factory):
    """A root whose workspace has small proofs of every kind."""
    root = tmp_path_factory.mktemp("proven")
    shutil.copytree(workspaces / "tiny", root / "tiny")
    workspace = influence.open_workspace(root / "tiny")
    evaluate(workspace, EvaluationSettings(methods=("tracin-we-topk",), ks=(2, 5), test_points=3, retrains=3))
    assert len(mistakes(workspace)) >= 2
    fix_mistakes(workspace, FixingSettings(methods=("tracin-we-topk",), ks=(2, 5), test_points=2, retrains=2))
    write_cancellation(root / "tiny")
    measure_overlaps(workspace, OverlapSettings(methods=("tracin-last", "tracin-we-topk", "tracin-tfidf"), top=9, near=4))
    return root


@pytest.mark.parametrize(
    ("part", "says", "starts"),
    [
        ("deletion", "the true label loses without its proponents", "evaluate"),
        ("cancellation", "their gradients cancel", "cancellation"),
        ("fixing", "For mistakes that are not hopeless", "fixing"),
        ("overlaps", "A score is a product", "overlaps"),
    ],
)
def test_what_is_missing_is_offered_by_one_button(open_page, part, says, starts):
    app = open_page("evidence", part=part)
    assert not app.exception
    assert says in shown(app)
    assert "python -m" not in shown(app)
    buttons = [one.key for one in app.button if (one.key or "").startswith("proof_run_")]
    assert buttons == ["proof_run_evaluate", "proof_run_cancellation"] if part == "cancellation" else [f"proof_run_{starts}"]


def test_the_form_says_what_it_trains(open_page, monkeypatch):
    asked = []
    monkeypatch.setattr(background, "enqueue", lambda _, command, *options, **about: asked.append((command, options)))
    app = open_page("evidence")
    app.number_input(key="proof_points_evaluate").set_value(2).run()
    app.number_input(key="proof_seeds_evaluate").set_value(4).run()
    # A method and two controls, two directions, two values of k, two sentences; and four controls.
    assert f"up to {4 * (1 + 3 * 2 * 2 * 2)} models" in shown(app)
    app.checkbox(key="proof_qld_evaluate").check().run()
    assert f"up to {4 * (1 + 3 * (2 * 2 + 1) * 2)} models" in shown(app)
    app.checkbox(key="proof_qld_evaluate").uncheck().run()
    app.checkbox(key="proof_no_overlap_evaluate").check().run()
    assert "the word embedding is frozen nowhere" in shown(app)
    app.checkbox(key="proof_freeze_embedding_evaluate").check().run()
    app.number_input(key="proof_seeds_evaluate").set_value(2).run()
    assert "From fewer than 3 test sentences and 3 seeds nothing can be told." in shown(app)
    app.button(key="proof_run_evaluate").click().run()
    [(command, options)] = asked
    assert command == "evaluate"
    assert options[-7:] == ("--test-points", "2", "--retrains", "2", "--no-qld", "--no-overlap", "--freeze-embedding")
    assert "the word embedding is frozen in the retrained models only" in shown(app)


def test_numbers_typed_just_before_the_click_count(open_page, monkeypatch):
    asked = []
    monkeypatch.setattr(background, "enqueue", lambda _, command, *options, **about: asked.append((command, options)))
    app = open_page("evidence")
    app.number_input(key="proof_seeds_evaluate").set_value(1)
    app.button(key="proof_run_evaluate").click()
    app.run()
    [(command, options)] = asked
    assert command == "evaluate"
    assert options[-5:] == ("--test-points", "6", "--retrains", "1", "--no-qld")


@pytest.mark.parametrize(
    ("seconds", "proposed"), [(1, ([10, 50], 6, 5)), (20, ([50], 6, 3)), (30, ([50], 4, 3)), (9_999, ([50], 3, 3))]
)
def test_what_the_form_proposes_is_done_within_an_hour_where_it_can_be(seconds, proposed):
    count = lambda methods, ks, points, retrains, _on: retrains * (1 + 2 * (methods + 2) * ks * points)  # noqa: E731
    form = run.Form("evaluate", "", ("a", "b"), 5, count, 100, "Test sentences")
    assert run.affordable(form, seconds) == proposed


@pytest.mark.slow
def test_deletion_curves_are_the_engine_s(open_page, proven):
    workspace = influence.open_workspace(proven / "tiny")
    [found] = evaluation_tables(workspace)
    for measure in ("probability", "margin"):
        app = open_page("evidence", root=proven, measure=measure)
        assert not app.exception
        said = wording.deletion(found, measure)[0]
        assert said in shown(app).replace("&#x27;", "'")
        spec = json.loads(app.get("plotly_chart")[0].proto.spec)
        here = found.curves[(found.curves["method"] == "tracin-we-topk") & (found.curves["measure"] == measure)]
        lines = [trace["y"] for trace in spec["data"] if trace["name"] == "TracIn-WE-Topk"]
        for line, direction in zip(lines, "+-", strict=True):
            means = here[here["direction"] == direction].sort_values("k")["mean"] * (100 if measure == "probability" else 1)
            assert values(line) == pytest.approx(means.tolist())
        compared, areas, qld, removals = (one.value for one in app.dataframe)
        beyond = found.beyond("tracin-we-topk", "+", measure, "random")
        assert compared.loc[0].tolist() == [
            "TracIn-WE-Topk",
            "proponents",
            "Random",
            *wording.compared(beyond, measure, -1).values(),
        ]
        assert len(compared) == 4
        assert len(areas) == 3  # with both controls
        row = found.areas[(found.areas["measure"] == measure) & (found.areas["direction"] == "+")].iloc[0]
        assert areas["proponents removed (DEL+)"][0].endswith(wording.spread(row["retraining_sd"], measure))
        assert "±" in areas["proponents removed (DEL+)"][0]
        assert wording.qld(found)[0][:60] in shown(app)
        rows = found.qld.to_dict("records")
        assert qld["QLD: more than random"].tolist() == [wording.value(row, ("mean", "low", "high"), "loss") for row in rows]
        counts = found.removals.to_dict("records")
        assert removals["removed"].tolist() == [f"{one['removed']:,.1f} ({one['least']} to {one['most']})" for one in counts]
        assert removals["with a score on that side"].tolist() == [f"{one['available']:,.1f}" for one in counts]


def test_an_evaluation_from_before_shows_what_it_has(open_page, proven, tmp_path):
    """As migrated from a file of the first version: no QLD, no spread, no counts of scores."""
    from influence.retraining.tables import FILE, RetrainingFile

    shutil.copytree(proven / "tiny", tmp_path / "tiny")
    with RetrainingFile(tmp_path / "tiny" / FILE, read_only=False) as file, file.transaction() as cursor:
        cursor.execute("delete from deletion_qld; delete from deletion_seeds; delete from deletion_runs")
        cursor.execute("update deletion_points set available = null, loss = null")
        cursor.execute("update deletion_areas set retraining_sd = null")
    app = open_page("evidence", root=tmp_path)
    assert not app.exception
    assert wording.KEPT_BEFORE in shown(app)
    _, areas, removals = (one.value for one in app.dataframe)
    assert all(cell.endswith("± –") for cell in areas["proponents removed (DEL+)"])
    assert set(removals["with a score on that side"]) == {"–"}


def evaluation(effects, tests, seeds, *, spread=0.02, start=0):
    """An evaluation with one k whose removals change every measure by `effects` of (method, direction), plus noise."""
    random = np.random.default_rng(start)
    rows = [
        (method, direction, 10, f"t{test}", seed, *[effects.get((method, direction), 0.0) + spread * random.normal()] * 3)
        for method in ("tracin-we-topk", "random", "random-same-label")
        for direction in "+-"
        for test in range(tests)
        for seed in range(seeds)
    ]
    runs = pd.DataFrame(rows, columns=["method", "direction", "k", "test_id", "seed", "probability", "margin", "loss"])
    settings = {"methods": ["tracin-we-topk", "random", "random-same-label"], "ks": [10], "test_points": tests, "retrains": seeds}
    empty = pd.DataFrame()
    return Evaluation("a", settings, "", empty, empty, empty, empty, pd.DataFrame({"k": [10]}), runs)


TOPK = "tracin-we-topk"
GOOD = {(TOPK, "+"): -0.1, (TOPK, "-"): 0.1}


def test_more_than_chance_is_said_of_both_controls_only():
    """Three sentences and one seed claimed it once, while a control did better."""
    said, sure = wording.deletion(evaluation(GOOD, 3, 1), "probability")
    assert not sure
    assert said == (
        "Whether the scores of TracIn-WE-Topk mean something here cannot be told from 3 test sentences and 1 seed: random "
        "removals may do as much. It takes at least 3 test sentences and 3 seeds."
    )
    said, sure = wording.deletion(evaluation(GOOD, 6, 3), "probability")
    assert sure
    assert said.endswith("its scores mean something on this data.")
    rival = {("random-same-label", "+"): -0.1, ("random-same-label", "-"): 0.1}  # as good, and only the other one is not
    said, sure = wording.deletion(evaluation(GOOD | rival, 6, 3), "probability")
    assert not sure
    assert "cannot be told from 6 test sentences and 3 seeds" in said
    better = {("random-same-label", "+"): -0.3}
    said, sure = wording.deletion(evaluation(GOOD | better, 6, 3), "probability")
    assert (said, sure) == (
        "Random removals do more than removing the proponents by TracIn-WE-Topk: do not rely on it here.", False
    )  # fmt: skip
    said, sure = wording.deletion(evaluation({(TOPK, "-"): 0.1, (TOPK, "+"): -0.02}, 6, 3, spread=0.08), "probability")
    assert said.startswith(
        "Removing the opponents by TracIn-WE-Topk does more than random removals do. For its proponents that cannot be told yet."
    )


def test_what_would_be_needed_is_estimated_from_the_spread():
    found = evaluation({(TOPK, "+"): -0.06, (TOPK, "-"): 0.06}, 8, 3, spread=0.15, start=12)
    said, sure = wording.deletion(found, "probability")
    assert not sure
    needed = [found.beyond(TOPK, side, "probability", control).needed for side in "+-" for control in wording.CONTROLS]
    most = max(tests for tests, _ in needed)
    assert said.endswith(f"If the difference is as large as it looks, about {most} test sentences with 3 seeds would show it.")
    assert most > 8
    said, _ = wording.deletion(evaluation({(TOPK, "+"): 0.02, (TOPK, "-"): -0.02}, 8, 3, spread=0.15), "probability")
    assert said.endswith("So far one of the random choices did as much or more, and more runs would hardly turn that round.")


def test_the_strongest_one_per_cent_are_set_beside_both_controls():
    assert wording.qld(evaluation({(TOPK, "+"): 0.1}, 6, 3)) == (
        "Without the 10 strongest proponents by TracIn-WE-Topk the model does worse on their test sentence than without as many "
        "random ones.",
        True,
    )
    said, sure = wording.qld(evaluation({(TOPK, "+"): 0.1, ("random-same-label", "+"): 0.1}, 6, 3))
    assert not sure
    assert "cannot be told yet" in said


def fixed_runs(mended, *, mistakes=4, seeds=3):
    """Targeted fixing in which each method mends a share of the mistakes, the same with every seed."""
    rows = [
        (method, way, k, f"t{test}", seed, test < share * mistakes, 0.5, 0.8, float(k))
        for (method, way, k), share in mended.items()
        for test in range(mistakes)
        for seed in range(seeds)
    ]
    names = ["method", "way", "k", "test_id", "seed", "fixed", "probability", "accuracy", "changed"]
    return pd.DataFrame(rows, columns=names)


def test_fixing_is_more_than_chance_against_no_change_and_random_choices():
    tried = {("no change", "", 0): 0.0, ("random", "remove", 5): 0.0, (TOPK, "remove", 5): 1.0}
    said, sure = wording.fixing(fixed_runs(tried))
    assert sure
    assert said == (
        "Training again without any change mends 0% of 4 mistakes by itself. Removing the 5 strongest opponents by "
        "TracIn-WE-Topk mends 100%, random ones 0%. That is more than either does by chance."
    )
    said, sure = wording.fixing(fixed_runs(tried | {("random", "remove", 5): 0.75}))
    assert not sure
    assert "Whether that is more than chance cannot be told yet. If the difference is as large as it looks, about" in said
    said, sure = wording.fixing(fixed_runs(tried, seeds=1))
    assert not sure
    assert said.endswith("It takes at least 3 mistakes and 3 seeds.")


def test_one_k_has_a_row_for_every_method(proven):
    [found] = evaluation_tables(influence.open_workspace(proven / "tiny"))
    curves = found.curves[found.curves["k"] == found.curves["k"].max()]
    figure = charts.deletion(curves, "probability")
    methods = ["TracIn-WE-Topk", "Random", "Random, same label"]
    assert list(figure.layout.yaxis.ticktext) == methods
    for direction, traces in (("+", figure.data[:3]), ("-", figure.data[3:])):
        assert [trace.name for trace in traces] == methods
        for trace, method in zip(traces, ("tracin-we-topk", "random", "random-same-label"), strict=True):
            here = curves[(curves["method"] == method) & (curves["direction"] == direction)]
            row = here[here["measure"] == "probability"].iloc[0]
            ends = trace.x[0] - trace.error_x.arrayminus[0], trace.x[0], trace.x[0] + trace.error_x.array[0]
            assert ends == pytest.approx(tuple(100 * row[["low", "mean", "high"]]))


def values(sent):
    """A trace's numbers; Plotly sends arrays as bytes."""
    if isinstance(sent, dict):
        import base64

        import numpy as np

        return np.frombuffer(base64.b64decode(sent["bdata"]), dtype=sent["dtype"]).tolist()
    return sent


def test_targeted_fixing_starts_from_no_change(open_page, proven):
    [found] = fixings(influence.open_workspace(proven / "tiny"))
    curves = fixing_curves(found.runs)
    app = open_page("evidence", root=proven, part="fixing")
    assert not app.exception
    control = curves[curves["k"] == 0]["fixed"].iloc[0]
    assert f"without any change mends {control:.0%} of 2 mistakes" in shown(app)
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    for trace in spec["data"]:
        assert values(trace["y"])[0] == pytest.approx(control)
    assert len(app.dataframe[0].value) == len(curves)


def test_two_runs_of_targeted_fixing_can_be_chosen_between(open_page, proven, tmp_path):
    shutil.copytree(proven / "tiny", tmp_path / "tiny")
    workspace = influence.open_workspace(tmp_path / "tiny")
    fix_mistakes(workspace, FixingSettings(methods=("tracin-we-topk",), ks=(2,), test_points=2, retrains=1))
    _, earlier = fixings(workspace)
    app = open_page("evidence", root=tmp_path, part="fixing")
    assert not app.exception
    app.selectbox(key="proof_runs_fixing").set_value(earlier.id).run()
    assert not app.exception
    assert parameters_of(app)["run"] == earlier.id


def test_cancellation_by_layer(open_page, proven):
    table = cancellation_table(influence.open_workspace(proven / "tiny"))
    app = open_page("evidence", root=proven, part="cancellation")
    assert not app.exception
    assert wording.cancellation(table)[0][:60] in shown(app).replace("&#x27;", "'")
    assert len(app.dataframe[-1].value) == len(table)


def test_overlaps_are_the_engine_s(open_page, proven):
    [found] = overlaps(influence.open_workspace(proven / "tiny"))
    table = overlap_table(found.points)
    app = open_page("evidence", root=proven, part="overlaps")
    assert not app.exception
    last, topk, random = (
        table[(table["method"] == method) & (table["against"] == "loss")].iloc[0]
        for method in ("tracin-last", "tracin-we-topk", "random")
    )
    said = (
        f"Of the 9 strongest proponents by TracIn on the last layer, {last['shared']:.1f} are also among those of largest loss, "
        f"whatever the test sentence; by TracIn-WE-Topk it is {topk['shared']:.1f}, by chance {random['shared']:.1f}. From 30 "
        "test sentences it cannot be told that TracIn on the last layer follows the loss more than chance does."
    )
    assert said in shown(app)
    shared, repeats = (one.value for one in app.dataframe)
    assert shared["method"].tolist() == ["TracIn on the last layer", "TracIn-WE-Topk", "TracIn with tf-idf", "Random"]
    assert shared["largest loss"][0] == f"{last['shared']:.1f} [{last['low']:.1f} to {last['high']:.1f}]"
    assert shared["gradient most in line"].tolist()[2:] == ["–", "–"]
    for row, engine in zip(repeats.to_dict("records"), found.repeats.to_dict("records"), strict=True):
        assert row["different proponents"] == f"{engine['examples']} in {engine['listed']} places"
        assert row["most often"] == f"{engine['most_id']}, {engine['most']} of 30"
    spec = json.loads(app.get("plotly_chart")[0].proto.spec)
    [losses] = [trace for trace in spec["data"] if trace["name"] == "largest loss"]
    assert values(losses["x"]) == pytest.approx(table[table["against"] == "loss"]["shared"].tolist())


def test_the_overlaps_button_asks_what_the_form_says(open_page, monkeypatch):
    asked = []
    monkeypatch.setattr(background, "enqueue", lambda _, command, *options, **about: asked.append((command, options)))
    app = open_page("evidence", part="overlaps")
    app.number_input(key="overlaps_top").set_value(7)
    app.button(key="proof_run_overlaps").click()
    app.run()
    methods = "tracin-last,tracin-we,tracin-we-topk"
    assert asked == [("overlaps", ("--methods", methods, "--top", "7", "--test-points", "40"))]
    app.multiselect(key="overlaps_methods").set_value([]).run()
    assert "Choose at least one method." in shown(app)


def test_the_parts_are_chosen_in_the_address(open_page, proven):
    app = open_page("evidence", root=proven)
    app.segmented_control(key="proof_part").set_value("fixing").run()
    assert parameters_of(app)["part"] == "fixing"
    app = open_page("evidence", root=proven, part="magic")
    assert "part" in app.warning[0].value


@pytest.mark.slow
def test_the_button_starts_the_command(open_page, workspaces, tmp_path):
    import time

    shutil.copytree(workspaces / "tiny", tmp_path / "tiny")
    workspace = influence.open_workspace(tmp_path / "tiny")
    app = open_page("evidence", root=tmp_path, part="cancellation")
    next(one for one in app.button if one.key == "proof_run_cancellation").click().run()
    assert not app.exception
    assert [job.command for job in background.jobs(workspace)] == ["cancellation"]
    end = time.monotonic() + 180
    while background.jobs(workspace):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert cancellation_table(workspace) is not None
