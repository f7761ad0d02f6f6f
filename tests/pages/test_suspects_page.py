"""Suspects under AppTest: the ranking, filters, order, choosing, bulk decisions, test errors, and computing them."""

import html
import time

import pytest
from conftest import HOSTILE_ID, IMAGE, SCRIPT, components, joined, parameters_of, shown
from reviewing_app import ANN, button, opener, own_workspace, reviews_of

import influence
from influence.fixes.fixlist import fix_list
from influence.suspects.ranking import SuspectFilter, suspect, suspect_ids, suspects, suspects_behind
from pages.ui.jobs import background
from pages.ui.parts import rows, suspicions


def lists(app):
    assert not app.exception, app.exception
    return [data["rows"] for data in components(app) if "rows" in data]


def listed(app):
    return [row["id"] for row in lists(app)[-1]] if lists(app) else []


def choose_all(app):
    """Choose the whole list, whether or not it fits on one page."""
    [found] = [one for one in app.button if one.key in ("bulk_choose_all", "bulk_choose_shown")][-1:]
    return found.click().run()


def decided(root):
    return {d.example_id: (d.kind, d.new_label) for d in reviews_of(root).decisions(reviewer=ANN)}


# The list


def test_the_list_is_the_engine_s_ranking(open_as, workspace):
    _, page = suspects(workspace, SuspectFilter(changed=True), limit=20)
    app = open_as("Ann", "suspects", workspace="tiny")
    assert listed(app) == list(page["train_id"])
    for row, found in zip(lists(app)[0], page.to_dict("records"), strict=True):
        assert joined(row["sides"]) == [found["text"]]
        assert row["reason"] == found["reason"]
        assert [chip[0] for chip in row["labels"]] == [found["label"], "→", found["suggested_label"]]
        values = {signal["name"]: signal["value"] for signal in row["signals"]}
        assert values["rank"] == f"{found['rank']:,}"
        assert all(0 <= signal["bar"] <= 1 for signal in row["signals"])


@pytest.mark.parametrize("order", suspicions.SORTS)
def test_every_signal_sorts(open_as, workspace, order):
    app = open_as("Ann", "suspects", workspace="tiny", show="all", sort=order, page="2")
    assert listed(app) == suspect_ids(workspace, order=order)[20:40]
    names = {signal["name"] for row in lists(app)[-1] for signal in row["signals"]}
    assert names - {"rank", "opinions against"} <= {suspicions.SIGNAL_OF.get(order.removeprefix("-"))}


def test_filters_write_the_address_and_the_address_makes_the_list(open_as, workspace):
    app = open_as("Ann", "suspects", workspace="tiny", show="all")
    app.text_input(key="suspects_q").set_value("good").run()
    app.selectbox(key="suspects_label").select(IMAGE).run()
    assert parameters_of(app) == {"workspace": "tiny", "show": "all", "q": "good", "label": IMAGE}
    assert listed(app) == suspect_ids(workspace, SuspectFilter(text="good", label=IMAGE))
    app.selectbox(key="suspects_suggested").select(IMAGE).run()
    app.selectbox(key="suspects_sort").select("-driven_errors").run()
    wanted = SuspectFilter(text="good", label=IMAGE, suggested_label=IMAGE)
    assert listed(app) == suspect_ids(workspace, wanted, order="-driven_errors")
    app.text_input(key="suspects_q").set_value("nowhere to be found").run()
    assert "None of the 60 training examples" in shown(app)
    button(app, "suspects_clear").click().run()
    assert len(listed(app)) == 20
    assert parameters_of(app) == {"workspace": "tiny", "show": "all", "decided": "all"}


def test_decided_ones_leave_the_list_and_a_switch_brings_them_back(open_as, root, workspace):
    ids = suspect_ids(workspace)
    for id in ids[:3]:
        reviews_of(root).decide(ANN, id, "keep")
    assert listed(open_as("Ann", "suspects", workspace="tiny", show="all", decided="yes")) == ids[:3]
    assert listed(open_as("Bob", "suspects", workspace="tiny", show="all", decided="no")) == ids[3:23]
    app = open_as("Bob", "suspects", workspace="tiny", show="all")
    assert listed(app) == ids[3:23]
    assert "57 of 60 training examples (not decided)" in shown(app)
    assert app.toggle(key="suspects_show_decided").label == "Show decided (3)"
    app.toggle(key="suspects_show_decided").set_value(True).run()
    assert listed(app) == ids[:20]
    assert parameters_of(app)["decided"] == "all"
    assert [row["state"] for row in lists(app)[0][:4]] == ["Ann: keep"] * 3 + [""]


def test_the_count_of_those_in_doubt_is_the_list_s(open_as, root, workspace):
    doubtful = suspect_ids(workspace, SuspectFilter(changed=True))
    assert suspicions.in_doubt(workspace, []) == len(doubtful)
    reviews_of(root).decide(ANN, doubtful[0], "remove")
    reviews_of(root).decide(ANN, suspect_ids(workspace, SuspectFilter(changed=False))[0], "keep")
    left = suspicions.in_doubt(workspace, [d.example_id for d in reviews_of(root).decisions()])
    assert left == len(doubtful) - 1
    assert f"{left} of 60 training examples" in shown(open_as("Ann", "suspects", workspace="tiny"))


# What is chosen


def test_nothing_can_be_done_before_something_is_chosen(open_as):
    app = open_as("Ann", "suspects", workspace="tiny")
    kinds = ["suggestion", "relabel", "keep", "remove", "mask", "flag"]
    assert all(button(app, f"bulk_{kind}").disabled for kind in kinds)
    assert button(app, "bulk_remove").label == "Mark for removal"
    choose_all(app)
    assert not any(button(app, f"bulk_{kind}").disabled for kind in kinds)


@pytest.mark.parametrize("whole", [False, True])
def test_another_filter_ends_a_choice_and_says_so(open_as, root, workspace, whole):
    app = open_as("Ann", "suspects", workspace="tiny", show="all")
    button(app, "bulk_choose_all" if whole else "bulk_choose_shown").click().run()
    assert ("All 60 chosen, 40 of them on other pages" if whole else "20 chosen") in shown(app)
    app.selectbox(key="suspects_label").select(IMAGE).run()
    assert f"Nothing is chosen any more: {'all' if whole else 'the 20'} chosen before belonged to another list" in shown(app)
    assert button(app, "bulk_remove").disabled
    assert next(data["chosen"] for data in components(app) if "rows" in data) == []
    assert not decided(root)


def test_a_choice_stays_over_pages_and_orders_and_says_what_is_out_of_sight(open_as, workspace):
    app = open_as("Ann", "suspects", workspace="tiny", show="all")
    button(app, "bulk_choose_shown").click().run()
    app.selectbox(key="suspects_sort").select("margin").run()
    ids = suspect_ids(workspace, order="margin")[:20]
    away = 20 - len(set(ids) & set(suspect_ids(workspace)[:20]))
    assert away
    assert f"20 chosen, {away} of them on other pages" in shown(app)


# Acting on many


def test_those_chosen_are_relabelled_as_suggested_and_one_undo_takes_it_back(open_as, root, workspace):
    _, page = suspects(workspace, SuspectFilter(changed=True), limit=3)
    ids = list(page["train_id"])
    app = open_as("Ann", "suspects", workspace="tiny")
    app.session_state[rows.KEPT] = rows.Choice(app.session_state[rows.KEPT].of, tuple(ids), made=True)
    app.run()
    assert next(data["chosen"] for data in components(app) if "rows" in data) == sorted(ids)
    button(app, "bulk_suggestion").click().run()
    assert f"Accept the suggestion for 3 of {len(ids)}" in shown(app)
    assert [joined(row["sides"]) for row in lists(app)[-1]] == [[text] for text in page["text"]]
    assert len(app.get("plotly_chart")) == 1
    assert not decided(root)
    button(app, "bulk_apply").click().run()
    assert decided(root) == {
        str(id): ("relabel", str(new)) for id, new in zip(page["train_id"], page["suggested_label"], strict=True)
    }
    assert "→" in shown(app)
    fixes = {fix.example_id: fix for fix in fix_list(reviews_of(root)).fixes}
    assert {id: fix.reason for id, fix in fixes.items()} == dict(zip(page["train_id"], page["reason"], strict=True))
    assert {fix.method for fix in fixes.values()} == {"suspicion"}
    assert not set(ids) & set(listed(app))
    button(app, "bulk_undo_").click().run()
    assert not decided(root)
    assert "Taken back" in shown(app)


def test_all_of_a_filter_are_decided_and_what_was_decided_stays(open_as, root, workspace):
    ids = suspect_ids(workspace, SuspectFilter(label=IMAGE))
    reviews_of(root).decide(ANN, ids[0], "keep")
    app = choose_all(open_as("Ann", "suspects", workspace="tiny", show="all", label=IMAGE, decided="all"))
    button(app, "bulk_remove").click().run()
    assert f"Mark for removal: {len(ids) - 1} of {len(ids)}" in shown(app)
    assert f"and {len(ids) - 6} more examples; {len(ids) - 20} of all {len(ids)} are not on the page you see" in shown(app)
    assert app.toggle(key="bulk_over").label == "Also the 1 that you have decided otherwise"
    button(app, "bulk_apply").click().run()
    assert decided(root) == {ids[0]: ("keep", None)} | dict.fromkeys(ids[1:], ("remove", None))
    action = reviews_of(root).recent(ANN, 1)[0]
    assert action.origin == {"kind": "filter", "filter": {"show": "all", "label": IMAGE, "decided": "all"}}
    app = choose_all(open_as("Ann", "suspects", workspace="tiny", show="all", label=IMAGE, decided="all"))
    button(app, "bulk_remove").click().run()
    app.toggle(key="bulk_over").set_value(True).run()
    assert f"Mark for removal: 1 of {len(ids)}" in shown(app)
    button(app, "bulk_apply").click().run()
    assert decided(root)[ids[0]] == ("remove", None)


def test_a_label_or_words_are_asked_for(open_as, root, workspace):
    app = choose_all(open_as("Ann", "suspects", workspace="tiny", show="all", label=SCRIPT))
    button(app, "bulk_relabel").click().run()
    assert not [one for one in app.button if one.key == "bulk_apply"]
    app.selectbox(key="bulk_label").select(IMAGE).run()
    count = len(suspect_ids(workspace, SuspectFilter(label=SCRIPT)))
    button(app, "bulk_apply").click().run()
    assert list(decided(root).values()) == [("relabel", IMAGE)] * count


def test_a_label_changed_just_before_the_click_is_shown_before_it_is_decided(open_as, root, workspace):
    app = choose_all(open_as("Ann", "suspects", workspace="tiny", show="all"))
    button(app, "bulk_relabel").click().run()
    app.selectbox(key="bulk_label").select(IMAGE).run()
    app.selectbox(key="bulk_label").select(SCRIPT)
    button(app, "bulk_apply").click()
    app.run()
    assert not decided(root)
    count = len(suspect_ids(workspace, SuspectFilter(label=IMAGE)))
    assert f"{count} of {workspace.info.n_train}" in shown(app)
    button(app, "bulk_apply").click().run()
    assert list(decided(root).values()) == [("relabel", SCRIPT)] * count


def test_a_bulk_can_be_left(open_as, root):
    app = choose_all(open_as("Ann", "suspects", workspace="tiny"))
    button(app, "bulk_keep").click().run()
    button(app, "bulk_cancel").click().run()
    assert not decided(root)
    assert not [one for one in app.button if one.key == "bulk_apply"]


def test_nobody_decides_without_a_name(open_as):
    app = open_as("", "suspects", workspace="tiny")
    assert len(listed(app)) > 0
    assert not [one for one in app.button if (one.key or "").startswith("bulk_keep")]
    button(app, "bulk_who").click().run()
    app.text_input(key="wt_reviewer_field").set_value("Ann")
    next(one for one in app.button if one.label == "Start").click().run()
    assert button(app, "bulk_keep")


def test_those_of_a_filter_become_a_queue(open_as, root, workspace):
    from influence.review.queues import Queues

    app = open_as("Ann", "suspects", workspace="tiny", show="all", label=IMAGE)
    button(app, "bulk_queue").click().run()
    [queue] = Queues(reviews_of(root)).all()
    assert Queues(reviews_of(root)).example_ids(queue.id, ANN) == suspect_ids(workspace, SuspectFilter(label=IMAGE))
    assert queue.name == f"Suspects: labelled {IMAGE}, not decided"


# Test errors and the suspects behind them


def driving(workspace):
    return next(id for id in suspect_ids(workspace, order="-driven_errors") if len(suspect(workspace, id).errors))


def test_from_a_suspect_to_the_test_errors_it_pushes(open_as, workspace):
    id = driving(workspace)
    every = suspect(workspace, id).errors
    errors = every[every["share"] >= 0.05]
    app = open_as("Ann", "suspects", workspace="tiny", id=id)
    assert listed(app) == list(errors["test_id"])
    assert f"One of the strongest opponents of {len(errors)} wrong test prediction" in shown(app)
    assert (f"of {len(every) - len(errors)} other" in shown(app)) == (len(every) > len(errors))
    for row, found in zip(lists(app)[-1], errors.to_dict("records"), strict=True):
        assert joined(row["sides"]) == [found["text"]]
        assert f"{found['share']:.0%} of the pull" in row["foot"]
        assert [link[0] for link in row["links"]] == ["Explore", "All suspects behind it"]
    button(app, "suspects_back").click().run()
    assert "id" not in parameters_of(app)


def test_the_evidence_says_every_signal_in_words(open_as, workspace):
    id = driving(workspace)
    found = suspect(workspace, id)
    said = shown(open_as("Ann", "suspects", workspace="tiny", id=id))
    for part in found.reason.split("; "):
        assert html.escape(part[1:]) in said
    for signal in suspicions.signals(found.rank, found.signals, suspicions.scales(workspace)):
        assert f"<dt>{signal['name']}: {html.escape(signal['value'])}</dt><dd>{html.escape(signal['about'])}</dd>" in said


# The groupings


@pytest.mark.parametrize(("key", "page"), [("cause", "clusters"), ("word", "words")])
def test_one_frame_and_a_switch(open_as, key, page):
    app = open_as("Ann", "suspects", workspace="tiny")
    app.segmented_control(key="suspects_grouping").select(key).run()
    assert not app.exception
    assert parameters_of(app) == {"workspace": "tiny"}
    assert app.segmented_control(key="suspects_grouping").value == key
    assert '<h1 class="wt-title">Suspects</h1>' in shown(app)
    direct = open_as("Ann", page, workspace="tiny")
    assert lists(app) == lists(direct)


def test_from_a_test_error_to_the_suspects_behind_it(open_as, workspace):
    errors = suspect(workspace, driving(workspace)).errors
    test_id = errors["test_id"].iloc[0]
    app = open_as("Ann", "suspects", workspace="tiny", test=test_id, show="all")
    assert listed(app) == list(suspects_behind(workspace, test_id, changed=None, limit=50)["train_id"])
    chips = [chip[0] for chip in lists(app)[0][0]["labels"]]
    assert chips == [errors["label"].iloc[0], "taken for", errors["predicted"].iloc[0]]
    assert "100% of the pull of its 100 strongest opponents" in shown(app)


@pytest.mark.parametrize(
    ("score", "word", "said"),
    [
        (0.123, "co-op", "12% of the pull, most through “co-op”"),
        (0.5, float("nan"), "50% of the pull"),
        (0.25, None, "25% of the pull"),
        (0.004, "t", "0.4% of the pull"),
    ],
)
def test_a_pull_without_a_word_names_none(score, word, said):
    assert suspicions.pull(score, word) == said


def test_a_right_test_prediction_has_no_suspects(open_as, workspace):
    _, right = workspace.search_tests(influence.TestFilter(wrong=False), limit=1)
    app = open_as("Ann", "suspects", workspace="tiny", test=right["id"].iloc[0], show="all")
    assert "The model is right here, so no suspect is to blame." in shown(app)


# Computing them, and addresses nobody should trust


@pytest.mark.slow
def test_suspects_are_computed_by_a_button(workspaces, tmp_path, monkeypatch):
    with own_workspace(workspaces, tmp_path) as root:
        app = opener(root, monkeypatch)("Ann", "suspects", workspace="tiny")
        assert "have not been computed yet" in shown(app)
        workspace = influence.open_workspace(root / "tiny")
        button(app, "compute_suspects_0").click().run()
        assert not app.exception
        [job] = background.jobs(workspace)
        assert job.command == "suspects"
        assert button(app, "job_cancel_")
        assert not [one for one in app.button if one.key.startswith("compute_")]
        within(lambda: all(one.failed for one in background.jobs(workspace)))
        assert background.jobs(workspace) == [], job.tail()
        assert listed(app.run())


@pytest.mark.slow
def test_computing_can_be_cancelled_and_a_failure_is_told(workspaces, tmp_path, monkeypatch):
    with own_workspace(workspaces, tmp_path) as root:
        workspace = influence.open_workspace(root / "tiny")
        start(workspace, "3")  # not a multiple of the folds
        within(lambda: background.jobs(workspace)[0].failed)
        app = opener(root, monkeypatch)("Ann", "suspects", workspace="tiny")
        assert "must be 0 or a multiple of" in shown(app)
        button(app, "compute_suspects_5").click().run()  # takes the failure's place
        start(workspace, "0")  # the same result is being made
        [job] = background.jobs(workspace)
        assert not job.failed
        within(lambda: job.progress() is not None)
        app.run()
        assert f"{job.progress().stage}: " in shown(app)  # its last lines
        button(app, "job_cancel_").click().run()
        within(lambda: not background.jobs(workspace))
        assert not suspicions.known(workspace)
        assert button(app.run(), "compute_suspects_5")


def start(workspace, models):
    background.enqueue(workspace, "suspects", "--models", models, title="Suspects", key="suspects")


def within(check, seconds=60):
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "value"),
    [("show", "<b>"), ("label", "nope"), ("suggested", "'"), ("decided", "x"), ("sort", "id; drop"), ("page", "0")],
)
def test_bad_values_are_named_and_left_out(open_as, name, value):
    app = open_as("Ann", "suspects", workspace="tiny", **{name: value})
    assert name in app.warning[0].value
    assert listed(app)


@pytest.mark.parametrize("name", ["id", "test"])
@pytest.mark.parametrize("value", ["nope", "<script>alert(1)</script>", "' or 1=1 --", "\0"])
def test_an_unknown_id_is_a_message(open_as, name, value):
    app = open_as("Ann", "suspects", workspace="tiny", **{name: value})
    assert not app.exception
    assert "unknown" in app.error[0].value
    assert "<script>" not in shown(app)


def test_hostile_ids_have_links_that_lead_to_them(open_as):
    app = open_as("Ann", "suspects", workspace="tiny", show="all", q=f"{HOSTILE_ID}5")
    [row] = lists(app)[0]
    assert row["id"] == f"{HOSTILE_ID}5"
    assert row["actions"] == [["Evidence", ""], ["Review", "review?workspace=tiny&id=%3Cimg+src%3Dx+onerror%3Dalert%283%29%3E5"]]
