"""Clusters under AppTest: sliders, cards, the map, members, and one decision for all of them."""

import json
from urllib.parse import parse_qs

import pytest
from conftest import components, joined, parameters_of, shown
from reviewing_app import ANN, button, opener, own_workspace, reviews_of

from influence.clusters.cuts import cluster, cluster_members, clusters
from influence.data.masking import find
from influence.review.queues import Queues
from influence.suspects.levels import FEWEST, wrong_chances
from influence.suspects.ranking import suspects
from pages.ui.jobs import background


def listed(app):
    assert not app.exception, app.exception
    return next((data["rows"] for data in components(app) if "rows" in data), [])


def choose_all(app, size):
    """Choose all members; where they fit on one page they are chosen from the start, in sight."""
    if size > 25:
        button(app, "bulk_choose_all").click().run()
    else:
        assert f"{size} chosen" in shown(app)


def decided(root):
    return {d.example_id: (d.kind, d.new_label, d.words) for d in reviews_of(root).decisions(reviewer=ANN)}


@pytest.mark.parametrize(("threshold", "size"), [(0.8, 3), (0.4, 2), (1.0, 2)])
def test_the_cards_are_the_engine_s_clusters(open_as, workspace, threshold, size):
    found = clusters(workspace, threshold=threshold, min_size=size)
    assert found
    app = open_as("Ann", "clusters", workspace="tiny", threshold=str(threshold), size=str(size))
    assert [row["id"] for row in listed(app)] == [str(one.number) for one in found]
    for row, one in zip(listed(app), found, strict=True):
        assert row["name"] == one.name
        assert row["labels"][0][0] == f"{one.size} sentences"
        place = parse_qs(row["href"][1:])
        assert {name: place.get(name) for name in ("workspace", "cluster")} == {
            "workspace": ["tiny"],
            "cluster": [str(one.number)],
        }
        signals = {signal["name"]: signal["value"] for signal in row["signals"]}
        assert signals["another label"] == f"{one.contradicted} of {one.size}"
        assert signals["mistakes pushed"] == str(one.mistakes)
        assert "decisions" not in row["reason"]  # nothing is decided, so nobody knows how many are wrong
        pushed = f"{one.mistake_pull:.0%} of the pull against {one.mistakes} wrong test prediction"
        assert (pushed in row["reason"]) == (one.mistakes > 0)
    assert listed(app)[0]["signals"][1]["name"] == "doubt"
    assert max(row["signals"][1]["bar"] for row in listed(app)) == 1
    assert f"{len(found)} cause{'s' if len(found) > 1 else ''} with {sum(one.size for one in found)} of the" in shown(app)


def test_the_sliders_answer_at_once(open_as, workspace):
    app = open_as("Ann", "clusters", workspace="tiny")
    app.slider(key="clusters_threshold").set_value(0.5).run()
    app.slider(key="clusters_size").set_value(2).run()
    assert parameters_of(app) == {"workspace": "tiny", "threshold": "0.5", "size": "2"}
    assert len(listed(app)) == len(clusters(workspace, threshold=0.5, min_size=2))
    app.slider(key="clusters_size").set_value(30).run()
    assert "No cause at this threshold" in shown(app)


@pytest.mark.parametrize("order", ["mistakes", "size"])
def test_another_order_is_kept_in_the_address(open_as, workspace, order):
    app = open_as("Ann", "clusters", workspace="tiny", size="2")
    app.selectbox(key="clusters_order").select(order).run()
    assert parameters_of(app) == {"workspace": "tiny", "size": "2", "order": order}
    assert [row["id"] for row in listed(app)] == [str(one.number) for one in clusters(workspace, min_size=2, order=order)]


def test_a_cluster_says_what_it_is_worth_and_what_ties_it(open_as, workspace):
    one = clusters(workspace, min_size=2)[0]
    page = shown(open_as("Ann", "clusters", workspace="tiny", cluster=str(one.number)))
    assert f"{one.size} sentences that pull the model the same way" in page
    tied = f"{min(one.start_end_share, 1):.0%} of that through start and end tokens, no words"
    assert (tied in page) == (one.start_end_share >= 0.05)


def test_after_enough_decisions_a_cluster_says_how_many_labels_are_wrong(open_as, workspace, root):
    reviews = reviews_of(root)
    for number, one in enumerate(suspects(workspace, limit=FEWEST)[1]["train_id"]):
        reviews.decide(ANN, one, "remove" if number % 3 == 0 else "keep")
    chances = wrong_chances(workspace, reviews)
    found = clusters(workspace, threshold=1.0, min_size=2)
    app = open_as("Ann", "clusters", workspace="tiny", threshold="1.0", size="2", decided="all")
    for row, one in zip(listed(app), found, strict=True):
        expected = sum(chances[id] for id in one.train_ids)
        assert f"by the decisions so far about {expected:.1f} wrong" in row["reason"]


def test_the_map_shows_every_difficult_example_in_its_cluster(open_as, workspace):
    app = open_as("Ann", "clusters", workspace="tiny", size="2")
    assert not app.get("plotly_chart")  # a click away
    app.session_state["clusters_map_open"] = True
    app.run()
    [chart] = app.get("plotly_chart")
    numbers = [datum[0] for trace in json.loads(chart.proto.spec)["data"] for datum in trace["customdata"]]
    for one in clusters(workspace, min_size=2):
        assert numbers.count(one.number) == one.size
    assert f"of the {len(numbers)} sentences that were hard to learn" in shown(app)
    assert "<script>" not in chart.proto.spec


def test_members_have_their_words_lit(open_as, workspace):
    one = clusters(workspace, min_size=2)[0]
    app = open_as("Ann", "clusters", workspace="tiny", cluster=str(one.number))
    members = cluster_members(workspace, one.number, limit=25)
    assert [row["id"] for row in listed(app)] == [member.sentence.id for member in members]
    for row, member in zip(listed(app), members, strict=True):
        assert joined(row["sides"]) == [member.sentence.text]
        lit = {word for side in row["sides"] for _, word, _ in side if word >= 0}
        assert lit == {int(word) for word in row["sums"]}
        inside = {word: score for word, score in member.words.items() if member.sentence.words[word].side >= 0}
        assert lit <= set(inside)
        others = [other.sentence for other in members if other is not member]
        for word in lit:  # each carries something, and another member holds it, too
            assert abs(inside[word]) >= 0.1 * max(map(abs, inside.values()))
            text = member.sentence.words[word].text
            assert any(find(f"{other.text} {other.text_pair or ''}", text) for other in others)
    assert any(row["sums"] for row in listed(app))
    button(app, "clusters_back").click().run()
    assert "cluster" not in parameters_of(app)


def test_all_members_are_relabelled_together_undone_and_done_again(open_as, root, workspace):
    one = max(clusters(workspace, threshold=1.0, min_size=2), key=lambda found: found.size)
    assert one.size >= 10
    label = next(name for name in workspace.info.labels if name not in one.labels or len(one.labels) == 1)
    label = label if label not in one.labels else next(n for n in workspace.info.labels if n != next(iter(one.labels)))
    expected = {id: ("relabel", label, ()) for id in one.train_ids if reviews_of(root).corpus[id].label != label}
    app = open_as("Ann", "clusters", workspace="tiny", cluster=str(one.number))
    choose_all(app, one.size)
    button(app, "bulk_relabel").click().run()
    app.selectbox(key="bulk_label").select(label).run()
    button(app, "bulk_apply").click().run()
    assert decided(root) == expected
    action = reviews_of(root).recent(ANN, 1)[0]
    assert action.origin["kind"] == "cluster"
    assert action.origin["words"] == one.words
    button(app, "bulk_undo_").click().run()
    assert decided(root) == {}
    assert "Taken back" in shown(app)
    button(app, "bulk_redo_").click().run()
    assert decided(root) == expected
    assert reviews_of(root).recent(ANN, 1)[0].id == action.id
    assert not [one for one in app.button if str(one.key).startswith("bulk_redo_")]


def test_its_words_are_offered_for_masking(open_as, root, workspace):
    one = next(found for found in clusters(workspace, threshold=0.5, min_size=2) if found.words)
    app = open_as("Ann", "clusters", workspace="tiny", cluster=str(one.number))
    choose_all(app, one.size)
    button(app, "bulk_mask").click().run()
    assert app.multiselect(key="bulk_words").options == one.words
    app.multiselect(key="bulk_words").select(one.words[0]).run()
    button(app, "bulk_apply").click().run()
    assert decided(root)
    assert {(kind, words) for kind, _, words in decided(root).values()} == {("mask", (one.words[0],))}


def test_decided_ones_leave_and_a_cause_that_is_done_leaves_the_list(open_as, root, workspace):
    one = clusters(workspace, min_size=2)[0]
    for id in one.train_ids[:-1]:
        reviews_of(root).decide(ANN, id, "keep")
    app = open_as("Ann", "clusters", workspace="tiny", cluster=str(one.number))
    assert [row["id"] for row in listed(app)] == one.train_ids[-1:]
    done = f"{one.size - 1} of {one.size} decided"
    assert [row["state"] for row in listed(open_as("Ann", "clusters", workspace="tiny", size="2")) if row["name"]][:1] == [done]
    reviews_of(root).decide(ANN, one.train_ids[-1], "keep")
    app = open_as("Ann", "clusters", workspace="tiny", cluster=str(one.number))
    assert f"All {one.size} are decided" in shown(app)
    app.toggle(key="cause_show_decided").set_value(True).run()
    assert len(listed(app)) == min(one.size, 25)
    app = open_as("Ann", "clusters", workspace="tiny", size="2")
    assert str(one.number) not in [row["id"] for row in listed(app)]
    app.toggle(key="clusters_show_decided").set_value(True).run()
    assert str(one.number) in [row["id"] for row in listed(app)]


def test_mislabel_clustering_is_run_by_a_button(open_as, workspace):
    app = open_as("Ann", "clusters", workspace="tiny")
    assert button(app, "clusters_run").label == "Run mislabel clustering"
    button(app, "clusters_run").click().run()
    [job] = background.jobs(workspace)
    assert job.command == "clusters"
    assert button(app, "clusters_run").disabled
    job.cancel()


def test_a_cluster_becomes_a_queue(open_as, root, workspace):
    one = clusters(workspace, min_size=2)[0]
    app = open_as("Ann", "clusters", workspace="tiny", cluster=str(one.number))
    button(app, "bulk_queue").click().run()
    assert not app.exception
    [queue] = Queues(reviews_of(root)).all()
    assert Queues(reviews_of(root)).example_ids(queue.id, ANN) == cluster(workspace, one.number).train_ids
    assert queue.source["kind"] == "cluster"


def test_what_is_missing_is_offered(open_as, workspaces, tmp_path, monkeypatch):
    folder = tmp_path / "without"
    folder.mkdir()
    with own_workspace(workspaces, folder) as root:
        app = opener(root, monkeypatch)("Ann", "clusters", workspace="tiny")
        assert "suspects, which have not been computed yet" in shown(app)


@pytest.mark.parametrize(
    ("name", "value"), [("threshold", "0"), ("threshold", "2"), ("size", "1"), ("size", "x"), ("cluster", "-3"), ("order", "age")]
)
def test_bad_values_are_named_and_left_out(open_as, name, value):
    app = open_as("Ann", "clusters", workspace="tiny", **{name: value})
    assert not app.exception
    assert name in app.warning[0].value


def test_an_unknown_cluster_is_a_message(open_as):
    app = open_as("Ann", "clusters", workspace="tiny", cluster="999999")
    assert not app.exception
    assert "unknown cluster" in app.error[0].value
