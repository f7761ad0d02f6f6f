"""Proof's changes under AppTest: what one takes before it is tried, the result, and what was tried before."""

import html
import json
import time

import pytest
from conftest import HOSTILE_ID, SCRIPT, components, parameters_of, shown
from reviewing_app import ANN, button, own_workspace, reviews_of

import influence
from influence.clusters.cuts import clusters
from influence.experiments.proposals import propose
from influence.experiments.whatif import outcomes, try_out
from influence.experiments.whatif_report import difference, verdict
from pages.ui.jobs import background

CHANGE = "opponents:test-3:5"


@pytest.fixture(scope="module")
def tried_workspaces(judged_workspaces, tmp_path_factory):
    """A root whose workspace has a what-if of two seeds, one of them about a sentence with a hostile id."""
    import shutil

    root = tmp_path_factory.mktemp("tried")
    shutil.copytree(judged_workspaces / "tiny", root / "tiny")
    workspace = influence.open_workspace(root / "tiny")
    try_out(workspace, propose(workspace, CHANGE), test_ids=[HOSTILE_ID], seeds=2)
    return root


@pytest.fixture
def root(tried_workspaces, tmp_path):
    with own_workspace(tried_workspaces, tmp_path) as folder:
        yield folder


def text_of(workspace, test_id):
    [position] = workspace.store.positions("test", [test_id]).values()
    return workspace.store.examples("test", [position])[position].text


def facts(app):
    return next(body for element in app.get("html") if 'dl class="wt-facts"' in (body := element.proto.body))


def test_what_it_takes_is_said_before_it_is_tried(open_as, workspace):
    app = open_as("Ann", "what_if", workspace="tiny", change="opponents:test-7:10")
    assert not app.exception
    found = propose(workspace, "opponents:test-7:10")
    count = len(found.change.removed)
    assert f"It would change {count} examples" in shown(app)
    assert f"of {workspace.info.n_train}" in shown(app)
    for label, removed in found.labels["remove"].items():
        assert html.escape(f"{removed} {label}") in facts(app)
        assert f"{found.before[label]} → {found.after[label]}" in facts(app)
    assert "Trains 8 models; 2 more are there already" in shown(app)  # of the controls, seeds 1 and 2 are there
    assert button(app, "whatif_run").label == "Try it"


def test_seeds_chosen_just_before_the_click_count(open_as, workspace, monkeypatch):
    asked = []
    monkeypatch.setattr(background, "enqueue", lambda _, command, *options, **about: asked.append((command, options)))
    app = open_as("Ann", "what_if", workspace="tiny", change="opponents:test-7:10")
    app.segmented_control(key="whatif_seeds").set_value(10)
    button(app, "whatif_run").click()
    app.run()
    assert asked == [("retrain", ("--change", "opponents:test-7:10", "--seeds", "10"))]


def test_the_result_is_the_engine_s(open_as, workspace):
    app = open_as("Ann", "what_if", workspace="tiny", change=CHANGE, seeds="2")
    assert not app.exception
    [outcome] = outcomes(workspace)
    first = outcome.of("test")[0]
    said = next(e.proto.body for e in app.get("html") if "wt-verdict wt-" in e.proto.body)
    assert verdict(first).split(" goes from ")[1] in said
    assert ("wt-sure" in said) == first.paired.told_apart
    [table] = app.dataframe
    rows = table.value
    assert len(rows) == len(outcome.of("test", "accuracy", "class"))
    assert rows["without"].iloc[0] == f"{first.paired.before:.1%}"
    chart = json.loads(app.get("plotly_chart")[0].proto.spec)
    means = [trace["x"] for trace in chart["data"] if trace.get("name") == "with the change"]
    assert means[0] == pytest.approx([measure.paired.after for measure in outcome.of("test")])
    assert SCRIPT not in app.get("plotly_chart")[0].proto.spec
    assert "All models of this question are trained already" in shown(app)


def test_a_ranking_is_put_to_the_test(open_as, root, workspace):
    """Chosen by widgets, said before it is tried, and shown as the engine has it."""
    app = open_as("Ann", "what_if", workspace="tiny", kind="top")
    app.text_input(key="whatif_top_test").set_value("test-3").run()
    app.selectbox(key="whatif_method_tracin-we-topk").set_value("bm25").run()
    assert not app.exception
    assert parameters_of(app)["change"] == "top:test-3:bm25"
    assert "Trains 13 models; 2 more are there already" in shown(app)  # of five seeds' controls, two are there
    outcome = try_out(workspace, propose(workspace, "top:test-3:bm25"), seeds=2)
    app = open_as("Ann", "what_if", workspace="tiny", change="top:test-3:bm25", seeds="2")
    assert not app.exception
    assert verdict(outcome.of("qld")[0]).split(" random: ")[1] in shown(app)
    table = app.dataframe[0].value
    assert table["rise"].tolist() == [difference(measure) for measure in outcome.of("qld", "rise", "random")]
    app = open_as("Ann", "what_if", workspace="tiny", change="top:test-3:tracin-all")
    assert button(app, "whatif_rank").label == "Work out its top 1%"
    assert not [one for one in app.button if one.key == "whatif_run"]
    button(app, "whatif_rank").click().run()
    assert not app.exception
    assert button(app, "whatif_run").label == "Try it"


def test_the_kinds_of_change_are_chosen_by_widgets(open_as, root, workspace):
    app = open_as("Ann", "what_if", workspace="tiny")
    assert "Nothing is decided yet" in shown(app)
    app.segmented_control(key="proof_place").set_value("change").run()
    app.segmented_control(key="whatif_kind").set_value("cluster").run()
    assert parameters_of(app) == {"workspace": "tiny", "part": "change", "kind": "cluster"}
    one = clusters(workspace)[0]
    app.selectbox(key="whatif_cluster").select_index(0).run()
    assert parameters_of(app)["change"] == f"cluster:{one.number}:remove"
    assert f"It would change {one.size} example" in shown(app)
    app.segmented_control(key="whatif_kind").set_value("opponents").run()
    app.selectbox(key="whatif_test").select_index(0).run()
    app.segmented_control(key="whatif_opponents").set_value("words").run()
    kind, _, rest = parameters_of(app)["change"].partition(":")
    assert (kind, rest.rpartition(":")[2]) == ("words", "20")
    assert not app.exception


def test_decisions_so_far(open_as, root, workspace):
    ids = workspace.train_ids()
    reviews_of(root).decide(ANN, ids[2], "remove")
    reviews_of(root).decide(ANN, ids[4], "keep")
    app = open_as("Ann", "proof", workspace="tiny")
    assert "Your fixes change 1 example" in shown(app)
    assert button(app, "whatif_run").label == "Try my fixes"
    text = reviews_of(root).corpus[ids[2]].text
    [row] = [row for data in components(app) for row in data.get("rows", []) if row["id"] == ids[2]]
    assert "".join(piece[0] for piece in row["sides"][0]) == text


def test_what_was_tried_is_listed(open_as, workspace):
    app = open_as("Ann", "what_if", workspace="tiny", kind="rule")
    [outcome] = outcomes(workspace)
    listed = [row for data in components(app) for row in data.get("rows", [])]
    assert [(row["id"], row["name"]) for row in listed] == [(outcome.id, outcome.title)]
    assert "".join(piece[0] for piece in listed[0]["sides"][0]) == text_of(workspace, "test-3")
    app = open_as("Ann", "what_if", workspace="tiny", outcome=outcome.id)
    assert verdict(outcome.of("test")[0]).split(" goes from ")[1] in shown(app)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"change": "opponents:nobody:5"}, "unknown test id"),
        ({"change": "cluster:999999:remove"}, "unknown cluster"),
        ({"change": 'rule:{"by":"sql","pattern":"drop table x","action":"remove"}'}, "condition"),
        ({"change": "magic"}, "begins with one of"),
    ],
)
def test_a_change_that_makes_no_sense_is_a_message(open_as, parameters, says):
    app = open_as("Ann", "what_if", workspace="tiny", **parameters)
    assert not app.exception
    assert says in app.error[0].value.replace("\\", "")
    assert not [one for one in app.button if one.key == "whatif_run"]


@pytest.mark.parametrize(("name", "value"), [("seeds", "0"), ("seeds", "x"), ("kind", "magic")])
def test_bad_values_are_named_and_left_out(open_as, name, value):
    app = open_as("Ann", "what_if", workspace="tiny", **{name: value})
    assert not app.exception
    assert name in app.warning[0].value


@pytest.mark.slow
def test_unknown_test_ids_are_told_by_the_command(open_as, root, workspace):
    app = open_as("Ann", "what_if", workspace="tiny", change=CHANGE, seeds="2", tests='["nobody"]')
    button(app, "whatif_run").click().run()
    assert not app.exception
    end = time.monotonic() + 180
    while not any(job.failed for job in background.jobs(workspace)):
        assert time.monotonic() < end
        time.sleep(0.1)
    app.run()
    assert "unknown test id 'nobody'" in shown(app).replace("&#x27;", "'")
    button(app, "job_dismiss").click().run()
    assert background.jobs(workspace) == []


def test_a_wrong_prediction_in_explore_asks_what_would_fix_it(open_as, workspace):
    _, wrong = workspace.search_tests(influence.TestFilter(wrong=True), limit=1)
    _, right = workspace.search_tests(influence.TestFilter(wrong=False), limit=1)
    for page, there in ((wrong, True), (right, False)):
        app = open_as("Ann", "explore", workspace="tiny", show="all", id=str(page["id"].iloc[0]))
        labels = [link.proto.label for link in app.get("page_link")]
        assert ("What would fix this?" in labels) == there


def test_of_many_labels_some_say_yes_by_luck(monkeypatch):
    """Twenty lines at 95 % have one that is more than luck by luck."""
    from types import SimpleNamespace

    from influence.experiments import Measure, Paired
    from pages.ui.proof.change import result

    said = []
    monkeypatch.setattr(result.render, "hint", said.append)
    pair = Paired((0.5, 0.6, 0.7), (0.5, 0.6, 0.7), (0.0, 1.0))
    for labels, hints in ((5, 0), (39, 1)):
        said.clear()
        measures = [Measure("accuracy", "", "", pair), *(Measure("class", "", f"label {n}", pair) for n in range(labels))]
        found = SimpleNamespace(id="a", of=lambda *kinds, all=measures: [one for one in all if one.kind in kinds])
        result._everything(found)
        assert [one for one in said if "by luck alone" in one] == [
            "Of 40 lines about 2 would say “yes” by luck alone: look for more than that."
        ] * hints
