"""Words under AppTest: the list is the engine's, a word opens to its examples, and these are decided together."""

import shutil
from collections import Counter
from urllib.parse import parse_qs

import pytest
from conftest import IMAGE, SCRIPT, components, joined, parameters_of, serve, shown, stop
from reviewing_app import ANN, button, opener, own_workspace, reviews_of

import influence
from influence.data.masking import find_to_mask
from influence.explanations.word_influence import MistakeFilter, confusions, count_mistakes, word_examples, words
from influence.review.queues import Queues
from influence.suspects.ranking import SuspectFilter, suspects
from pages.ui.parts import rows


def listed(app):
    assert not app.exception, app.exception
    return next((data["rows"] for data in components(app) if "rows" in data), [])


def choose_all(app):
    """Choose all sentences of a word; where they fit on one page they are chosen from the start, in sight."""
    for one in app.button:
        if one.key == "bulk_choose_all":
            one.click().run()
    assert not button(app, "bulk_keep").disabled


def decided(root):
    return {d.example_id: (d.kind, d.new_label, d.words) for d in reviews_of(root).decisions(reviewer=ANN)}


def strongest(workspace, *, at_least=2):
    """A word with several examples that all can be masked."""
    found = words(workspace)
    return next(row for row in found[found["kind"] == "word"].itertuples() if row.examples >= at_least)


def test_the_list_is_the_engine_s(open_as, workspace):
    found = words(workspace)
    app = open_as("Ann", "words", workspace="tiny")
    expected = found[found["kind"] == "word"]
    assert [row["id"] for row in listed(app)] == expected["word"].tolist()[:30]
    for row, one in zip(listed(app), expected.to_dict("records"), strict=False):
        assert row["name"] == one["written"]
        said = [text for text, _ in row["labels"]]
        assert said[0] == f"{one['examples']} sentence{'s' if one['examples'] != 1 else ''}"
        assert (said[1:] == []) == (one["mistakes"] == 0)
        bars = {signal["name"]: signal["bar"] for signal in row["signals"]}
        assert bars["against"] == pytest.approx(one["against"] / expected["against"].min())
        assert bars["for"] == pytest.approx(one["support"] / (expected["support"].max() or 1))
    said = shown(app)
    assert (
        f"{len(expected)} word{'s pull' if len(expected) != 1 else ' pulls'} against the {count_mistakes(workspace)} mistakes"
        in said
    )
    assert "of the pull goes through start and end tokens" in said
    app.selectbox(key="words_show").select("all").run()
    assert parameters_of(app)["show"] == "all"
    assert [row["id"] for row in listed(app)] == found[~found["kind"].isin(["token", "piece"])]["word"].tolist()[:30]


@pytest.mark.parametrize("sort", ["score", "mistakes", "examples"])
def test_it_can_be_sorted(open_as, workspace, sort):
    found = words(workspace)
    found = found[found["kind"] == "word"].set_index("word")
    app = open_as("Ann", "words", workspace="tiny")
    app.selectbox(key="words_sort").select(sort).run()
    order = [found.loc[row["id"], sort] for row in listed(app)]
    assert order == sorted(found[sort], reverse=sort != "score")[:30]


def test_one_confusion(open_as, workspace):
    first = confusions(workspace).iloc[0]
    app = open_as("Ann", "words", workspace="tiny")
    app.selectbox(key="words_label").select(first["label"]).run()
    app.selectbox(key="words_predicted").select(first["predicted"]).run()
    assert parameters_of(app) == {"workspace": "tiny", "label": first["label"], "predicted": first["predicted"]}
    found = words(workspace, MistakeFilter(label=first["label"], predicted=first["predicted"]))
    assert [row["id"] for row in listed(app)] == found[found["kind"] == "word"]["word"].tolist()[:30]


def test_searching_and_finding_nothing(open_as, workspace):
    part = strongest(workspace).word[:3]
    app = open_as("Ann", "words", workspace="tiny", q=part.upper())
    assert listed(app)
    assert all(part in row["id"] for row in listed(app))
    app.text_input(key="words_q").set_value("nobody wrote this").run()
    assert "No word like that" in shown(app)
    button(app, "words_clear").click().run()
    assert parameters_of(app) == {"workspace": "tiny"}
    label = workspace.info.labels[0]
    app = open_as("Ann", "words", workspace="tiny", label=label, predicted=label)
    assert "makes no mistake" in shown(app)


def test_a_link_leads_to_the_word_s_examples(open_as, workspace):
    row = listed(open_as("Ann", "words", workspace="tiny", page="1"))[0]
    place = {name: values[0] for name, values in parse_qs(row["href"][1:]).items()}
    assert place == {"workspace": "tiny", "word": row["id"]}
    app = open_as("Ann", "words", **place)
    found = word_examples(workspace, row["id"])
    assert [line["id"] for line in listed(app)] == found["train_id"].tolist()[:25]
    _, known = suspects(workspace, SuspectFilter(among=found["train_id"].tolist()), limit=100)
    suggested = dict(zip(known["train_id"], known["suggested_label"], strict=True))
    corpus = reviews_of(workspace.path.parent).corpus
    for line in listed(app):
        assert joined(line["sides"]) == [corpus[line["id"]].text]
        lit = [piece[0] for side in line["sides"] for piece in side if piece[1] >= 0]
        assert lit
        assert {text.casefold() for text in lit} == {row["id"]}
        assert line["labels"][0] == [corpus[line["id"]].label, "label"]
        if suggested[line["id"]] != corpus[line["id"]].label:
            assert line["labels"][2] == [suggested[line["id"]], "new"]
        assert [text for text, _ in line["actions"]] == ["Evidence", "Review"]
        assert all(href.startswith("explore?") for _, href in line["links"])
        assert "of the word's pull" in line["foot"]
    button(app, "words_back").click().run()
    assert parameters_of(app) == {"workspace": "tiny"}


def test_a_word_without_examples_says_so(open_as):
    app = open_as("Ann", "words", workspace="tiny", word="<b>nobody</b>")
    assert not app.exception
    assert "pulls against no mistake" in shown(app)
    assert "<b>nobody" not in shown(app)


def test_all_examples_have_the_word_masked_and_it_is_undone_as_one(open_as, root, workspace):
    word = strongest(workspace, at_least=3)
    ids = word_examples(workspace, word.word)["train_id"].tolist()
    corpus = reviews_of(root).corpus
    assert all(find_to_mask(corpus[id].text, word.written) for id in ids)
    app = open_as("Ann", "words", workspace="tiny", word=word.word)
    choose_all(app)
    button(app, "bulk_mask").click().run()
    assert app.multiselect(key="bulk_words").value == [word.written]  # this word, without typing it
    button(app, "bulk_apply").click().run()
    assert decided(root) == dict.fromkeys(ids, ("mask", None, (word.written,)))
    action = reviews_of(root).recent(ANN, 1)[0]
    origin = {"kind": "word", "word": word.word, "label": None, "predicted": None}
    assert {name: value for name, value in action.origin.items() if name != "chosen"} == origin
    [decision] = reviews_of(root).decisions(ids[:1])
    assert f"through “{word.written}”" in decision.evidence["reason"]
    button(app, "bulk_undo_").click().run()
    assert decided(root) == {}


@pytest.mark.parametrize("kind", ["remove", "flag"])
def test_chosen_ones_only(open_as, root, workspace, kind):
    word = strongest(workspace, at_least=3)
    ids = word_examples(workspace, word.word)["train_id"].tolist()[:2]
    app = open_as("Ann", "words", workspace="tiny", word=word.word)
    app.session_state[rows.KEPT] = rows.Choice(app.session_state[rows.KEPT].of, tuple(ids), made=True)
    app.run()
    button(app, f"bulk_{kind}").click().run()
    button(app, "bulk_apply").click().run()
    assert not app.exception
    [action] = reviews_of(root).recent(ANN, 1)
    assert (action.kind, set(action.example_ids)) == (kind, set(ids))
    if kind == "flag":
        assert decided(root) == {}
        assert set(reviews_of(root).flagged()) == set(ids)
    button(app, "bulk_undo_").click().run()
    assert decided(root) == {}
    assert reviews_of(root).flagged() == []


def test_suggestions_are_accepted_and_listed_alone(open_as, root, workspace):
    found = words(workspace)
    for word in found[found["kind"] == "word"].itertuples():
        ids = word_examples(workspace, word.word)["train_id"].tolist()
        _, known = suspects(workspace, SuspectFilter(among=ids, changed=True), limit=100)
        if len(known):
            break
    else:
        pytest.fail("no word has an example with another label suggested")
    app = open_as("Ann", "words", workspace="tiny", word=word.word, suggested="changed")
    assert {line["id"] for line in listed(app)} == set(known["train_id"])
    choose_all(app)
    button(app, "bulk_suggestion").click().run()
    button(app, "bulk_apply").click().run()
    expected = dict(zip(known["train_id"], known["suggested_label"], strict=True))
    assert {id: label for id, (_, label, _) in decided(root).items()} == expected
    assert Counter(kind for kind, _, _ in decided(root).values()) == {"relabel": len(known)}


def test_a_word_becomes_a_queue(open_as, root, workspace):
    word = strongest(workspace)
    app = open_as("Ann", "words", workspace="tiny", word=word.word)
    button(app, "bulk_queue").click().run()
    assert not app.exception
    [queue] = Queues(reviews_of(root)).all()
    assert Queues(reviews_of(root)).example_ids(queue.id, ANN) == word_examples(workspace, word.word)["train_id"].tolist()


def test_without_suspects_it_works_and_suggests_nothing(workspaces, tmp_path, monkeypatch):
    with own_workspace(workspaces, tmp_path) as root:
        word = strongest(influence.open_workspace(root / "tiny"))
        app = opener(root, monkeypatch)("Ann", "words", workspace="tiny", word=word.word)
        assert listed(app)
        assert not [one for one in app.button if (one.key or "").startswith("bulk_suggestion")]


def test_pairs_and_hostile_labels(pair_workspaces, tmp_path, monkeypatch):
    with own_workspace(pair_workspaces, tmp_path, name="pairs") as root:
        workspace = influence.open_workspace(root / "pairs")
        open_as = opener(root, monkeypatch)
        app = open_as("Ann", "words", workspace="pairs", show="all")
        assert not app.exception
        app = open_as("Ann", "words", workspace="pairs", word=strongest(workspace).word)
        assert all(len(line["sides"]) == 2 for line in listed(app))
        html = "\n".join(element.proto.body for element in app.get("html"))
        assert SCRIPT not in html
        assert IMAGE not in "\n".join(button.label for button in app.button)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label", "no such"),
        ("predicted", "x"),
        ("sort", "word"),
        ("show", "1"),
        ("page", "0"),
        ("part", "-1"),
        ("suggested", "a"),
    ],
)
def test_bad_values_are_named_and_left_out(open_as, name, value):
    app = open_as("Ann", "words", workspace="tiny", **{name: value})
    assert not app.exception
    assert name in app.warning[0].value


@pytest.mark.slow
def test_in_a_browser_a_word_opens_by_key_and_back_leads_to_the_list(judged_workspaces, tmp_path, browser):
    shutil.copytree(judged_workspaces / "tiny", tmp_path / "tiny")  # the reviews of a shared one may be open in this process
    process, address = serve(tmp_path)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{address}/words?workspace=tiny&show=all")
    first = page.locator("a.name").first
    first.wait_for(timeout=60_000)
    word = first.inner_text()
    first.focus()
    page.keyboard.press("Enter")
    page.locator(".row mark").first.wait_for(timeout=60_000)
    assert "word=" in page.url
    assert page.locator(".row mark").first.inner_text().casefold() == word.casefold()
    page.go_back()
    page.locator("a.name").first.wait_for(timeout=60_000)
    assert "word=" not in page.url
    context.close()
    stop(process)
