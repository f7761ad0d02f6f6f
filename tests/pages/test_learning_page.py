"""A ranking that learns, as its reviewers see it: when it is made again, what moves, what decisions say, planted controls."""

import html
from dataclasses import replace

import pytest
from conftest import parameters_of, shown
from reviewing_app import ANN, button, item, on_screen, opener, part, press, queue_of, reviews_of

import influence
from influence.review.agreements import ControlResult, control_results
from influence.review.queues import Queues
from influence.suspects.choices import CHOICES, Choices, read_choices, write_choices
from influence.suspects.controls import choose_controls
from influence.suspects.ranking import SuspectFilter, suspect, suspect_ids
from influence.suspects.tables import SuspectStore
from influence.workspace.database import published, publishing
from pages.ui.jobs import background
from pages.ui.parts import learning


@pytest.fixture
def open_as(root, monkeypatch):
    monkeypatch.setattr(background, "_pump", lambda queue: None)  # what is queued stays queued
    return opener(root, monkeypatch)


def rank_anew(workspace, *, decisions):
    """Publish the ranking turned upside down, as the command would after some decisions."""
    file, settings = published(workspace.build, "suspects")
    store = SuspectStore(file)
    rows, drives = store.frame("select * from suspects"), store.frame("select * from driven_errors")
    store.close()
    rows["suspicion"] = 1 - rows["suspicion"]
    rows["rank"] = len(rows) + 1 - rows["rank"]
    with publishing(workspace.build, "suspects", SuspectStore, settings) as made:
        made.fill("suspects", rows.sort_values("rank"))
        made.fill("driven_errors", drives)
        opinions = [{"name": "words", "accuracy": 0.75, "weight": 1.0, "seconds": 2.5}]
        made.insert("provenance", {"name": ["decisions", "opinions"], "value": [str(decisions), str(opinions).replace("'", '"')]})


# When it is made again


def test_enough_decisions_queue_the_ranking_once(open_as, root, workspace):
    write_choices(workspace.path, Choices(learn_every=2))
    queue_of(root, suspect_ids(workspace), source={"kind": "suspects", "size": 0})
    app = open_as("Ann", "review", workspace="tiny", queue="q1")
    press(app, "K")
    assert background.jobs(workspace) == []
    press(app, "K")
    [job] = background.jobs(workspace)
    assert (job.command, job.options[2:]) == ("suspects", [])
    press(app, "K")
    press(app, "K")
    assert len(background.jobs(workspace)) == 1


def test_decisions_made_together_count_at_once_and_never_means_never(open_as, root, workspace):
    write_choices(workspace.path, Choices(learn_every=5))
    app = open_as("Ann", "suspects", workspace="tiny", show="all")
    button(app, "bulk_choose_all").click().run()
    button(app, "bulk_remove").click().run()
    button(app, "bulk_apply").click().run()
    assert len(reviews_of(root).decisions()) == 60
    assert [job.command for job in background.jobs(workspace)] == ["suspects"]
    for job in background.jobs(workspace):
        job.cancel()
    write_choices(workspace.path, Choices(learn_every=0))
    learning._asked.clear()
    reviews_of(root).undo(ANN)
    app.run()
    button(app, "bulk_choose_all").click().run()
    button(app, "bulk_keep").click().run()
    button(app, "bulk_apply").click().run()
    assert background.jobs(workspace) == []


# What moves


def test_a_queue_goes_on_in_the_new_order_and_says_what_moved(open_as, root, workspace):
    ids = suspect_ids(workspace, SuspectFilter(changed=True))
    app = open_as("Ann", "review", workspace="tiny")
    button(app, "source_suspects").click().run()
    [queue] = Queues(reviews_of(root)).all()
    assert (queue.source, queue.ranking != "") == ({"kind": "suspects", "size": 200, "checks": 10}, True)
    assert [one.label for one in app.expander] == ["The ranking learns from decisions"]
    press(app, "K")
    second = on_screen(app)
    assert second == ids[1]
    rank_anew(workspace, decisions=1)
    app.run()
    assert on_screen(app) == second  # what is on screen stays
    followed = Queues(reviews_of(root)).get(queue.id)
    assert (followed.reranked, followed.decisions) == (1, 1)
    press(app, "K")
    assert on_screen(app) == suspect_ids(workspace, SuspectFilter(changed=True, without=ids[:2]))[0]
    [summary] = [one.label for one in app.expander]
    assert summary.startswith("Ranked again after 1 decision: the next ")
    assert [action.example_ids for action in reviews_of(root).recent(ANN)] == [(ids[1],), (ids[0],)]


def test_what_came_up_is_listed_with_its_places_and_its_reason(open_as, root, workspace, monkeypatch):
    from pages.ui.review import following

    monkeypatch.setattr(following, "NEXT", 2)
    ids = suspect_ids(workspace, SuspectFilter(changed=True))
    queue = queue_of(root, ids[:-1], source={"kind": "suspects", "size": 0}, ranking="before")
    rank_anew(workspace, decisions=3)
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    assert on_screen(app) == ids[-1]
    said = html.unescape(shown(app))
    assert app.expander[0].label.startswith("Ranked again after 3 decisions: 2 of the next 2 are new")
    assert f"new in this queue to place 1; {suspect(workspace, ids[-1]).reason}" in said
    assert f"from place {len(ids) - 1} to place 2" in said


def test_ranking_again_can_be_asked_for(open_as, root, workspace):
    queue_of(root, suspect_ids(workspace), source={"kind": "suspects", "size": 0})
    app = open_as("Ann", "review", workspace="tiny", queue="q1")
    button(app, "review_rank_again").click().run()
    assert [job.command for job in background.jobs(workspace)] == ["suspects"]
    assert button(open_as("Ann", "suspects", workspace="tiny"), "how_again").disabled


# What decisions say


def test_before_any_decision_a_place_is_a_rank(open_as, root, workspace):
    queue_of(root, suspect_ids(workspace), source={"kind": "suspects", "size": 0})
    app = open_as("Ann", "review", workspace="tiny", queue="q1")
    assert "Rank 1 of 60" in shown(app)
    first = part(app, "evidence")["signals"][0]
    assert (first["name"], first["value"]) == ("rank", "1")
    assert "a rank and no probability" in first["about"]
    assert "are left" not in shown(open_as("Ann", "home", workspace="tiny"))
    assert "rank, not a probability" in shown(open_as("Ann", "suspects", workspace="tiny"))


def test_after_some_decisions_every_page_says_what_they_come_to(open_as, root, workspace):
    reviews, ids = reviews_of(root), suspect_ids(workspace)
    queue_of(root, ids, source={"kind": "suspects", "size": 0})
    for number, id in enumerate(ids[:30]):
        reviews.decide(ANN, id, "remove" if number % 2 else "keep")
    app = open_as("Ann", "review", workspace="tiny", queue="q1")
    level = "of 6 judged at this level, 3 were wrong"
    assert "wrong labels are left in this queue (" in shown(app)
    app = open_as("Bob", "review", workspace="tiny", queue="q1", id=ids[0])
    assert f"Rank 1 of 60: {level}" in shown(app)
    for page in ("home", "suspects"):
        said = shown(open_as("Ann", page, workspace="tiny"))
        assert "wrong labels are left (" in said, page
        assert "the last 30 judged held 15; at most " in said, page
    for id in ids[30:]:
        reviews.decide(ANN, id, "keep", queue="q1")
    said = shown(open_as("Ann", "review", workspace="tiny", queue="q1"))
    assert "Nothing left for you here" in said
    assert "about 0 wrong labels are left in this queue (0 to 0)" in said.replace("About", "about")


# How it is ranked


def test_the_switches_are_kept_for_the_workspace(open_as, workspace):
    app = open_as("Ann", "suspects", workspace="tiny")
    assert read_choices(workspace.path) == Choices()
    app.toggle(key="how_checked").set_value(True).run()
    app.toggle(key="how_balance").set_value(False).run()
    app.number_input(key="how_every").set_value(20).run()
    assert "Kept for this workspace" in shown(app)
    wanted = Choices(test_labels_checked=True, use_test_balance=False, learn_every=20)
    assert read_choices(workspace.path) == wanted
    write_choices(workspace.path, replace(wanted, test_labels_checked=False))  # by somebody else
    assert not app.run().toggle(key="how_checked").value


def test_choices_that_make_no_sense_are_one_line_and_stop_nobody(open_as, root, workspace):
    (workspace.path / CHOICES).write_text("{")
    app = open_as("Ann", "suspects", workspace="tiny")
    assert [("suspects" in one.value, "delete it" in one.value) for one in app.error] == [(True, True)]
    queue_of(root, suspect_ids(workspace), source={"kind": "suspects", "size": 0})
    press(open_as("Ann", "review", workspace="tiny", queue="q1"), "K")
    assert len(reviews_of(root).decisions()) == 1


def test_the_opinions_are_listed_with_what_they_cost(open_as, workspace):
    rank_anew(workspace, decisions=7)
    app = open_as("Ann", "suspects", workspace="tiny")
    assert "Learnt from 7 decided examples of 0" in shown(app)
    [table] = [one.value for one in app.dataframe if "opinion" in one.value]
    assert table.to_dict("records") == [
        {"opinion": "words", "agrees with the given label": "75.0%", "weight": "1", "seconds": "2.5"}
    ]


# Planted controls


def test_controls_are_drawn_from_the_surest_and_follow_from_the_queue(root, workspace):
    reviews, ids = reviews_of(root), suspect_ids(workspace, SuspectFilter(changed=True))
    found = choose_controls(reviews, ids, 2, queue="q7")
    assert found == choose_controls(reviews, ids, 2, queue="q7")
    assert any(choose_controls(reviews, ids, 2, queue=f"q{n}") != found for n in range(8, 20))
    surest = suspect_ids(workspace, SuspectFilter(changed=False), order="suspicion")
    assert set(found) <= set(surest[:40])
    assert all(label != reviews.corpus[id].label and label in reviews.corpus.labels for id, label in found.items())
    for id in surest[:-1]:
        reviews.decide(ANN, id, "keep")
    assert set(choose_controls(reviews, ids, 2, queue="q7")) <= {surest[-1]}
    with pytest.raises(influence.SettingsError, match="-1 planted controls"):
        choose_controls(reviews, ids, -1, queue="q7")


def test_a_control_looks_like_a_suspect_and_measures_the_reviewer(open_as, root, workspace):
    app = open_as("Ann", "review", workspace="tiny")
    app.segmented_control(key="queue_controls").set_value(0.05).run()
    button(app, "source_suspects").click().run()
    [made] = Queues(reviews_of(root)).all()
    assert made.controls == 1
    reviews, ids = reviews_of(root), suspect_ids(workspace)[:12]
    queue = Queues(reviews).create(ANN, "Two", ids, plant=lambda id: choose_controls(reviews, ids, 2, queue=id))
    app = open_as("Ann", "review", workspace="tiny", queue=queue.id)
    assert "planted controls" in shown(app)
    planted, _ = [id for id in Queues(reviews).example_ids(queue.id, ANN) if reviews.is_control(id, queue.id)]
    own, turned = reviews.corpus[planted].label, reviews.shown(planted, queue.id).label
    looks = {}
    while on_screen(app) != planted:
        looks["suspect"] = item(app), part(app, "evidence")
        press(app, "K")
    looks["control"] = item(app), part(app, "evidence")
    case, evidence = looks["control"]
    assert (case["given"], case["suggested"]) == (turned, own)
    assert {name: type(value) for name, value in case.items()} == {
        name: type(value) for name, value in looks["suspect"][0].items()
    }
    for _, told in looks.values():
        assert (told["reason"], told["signals"]) == ("", [])
        assert all(group["title"].startswith("Training, ") for group in told["groups"])
    assert {group["title"] for group in evidence["groups"]} == {f"Training, against “{turned}”", f"Training, for “{turned}”"}
    assert planted not in {card["id"] for group in evidence["groups"] for card in group["cards"]}
    assert "Rank 1" not in shown(app)
    assert " of 60" not in shown(app)
    press(app, str(1 + workspace.info.labels.index(turned)))  # the given label keeps
    assert control_results(reviews) == [ControlResult("Ann", caught=0, named=0, missed=1, flagged=0)]
    assert "· keep · " in shown(app)
    press(app, "U")
    assert on_screen(app) == planted
    assert control_results(reviews) == []
    right = 1 + workspace.info.labels.index(own)
    press(app, str(right))
    assert control_results(reviews) == [ControlResult("Ann", caught=1, named=1, missed=0, flagged=0)]
    assert planted not in {decision.example_id for decision in reviews.decisions()}
    while "id" in parameters_of(app) and "Nothing left" not in shown(app):
        press(app, "K")
    assert "Of 2 planted controls you caught 1 and kept 1." in shown(app)
    agreement = shown(open_as("Bob", "fix_list", workspace="tiny", part="agreement"))
    assert "Planted controls" in agreement


def test_bob_sees_no_trace_of_controls_outside_their_queue(open_as, root, workspace):
    ids = suspect_ids(workspace)
    queue = queue_of(root, ids[:3], plant=lambda id: {ids[-1]: _other(root, ids[-1])})
    reviews_of(root).decide(ANN, ids[-1], "keep", queue=queue.id)
    app = open_as("Bob", "review", workspace="tiny", id=ids[-1])
    case = item(app)
    assert (case["given"], case["others"]) == (reviews_of(root).corpus[ids[-1]].label, [])
    assert part(app, "evidence")["reason"]


def _other(root, id):
    corpus = reviews_of(root).corpus
    return next(label for label in corpus.labels if label != corpus[id].label)
