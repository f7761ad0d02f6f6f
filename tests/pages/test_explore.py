"""Explore under AppTest: the list, the reading view, typed texts, and addresses nobody should trust."""

import html
from urllib.parse import parse_qs

import pytest
from conftest import HOSTILE_ID, IMAGE, SCRIPT, TEST_IDS, components, joined, parameters_of, shown, trigger
from tiny import ANYWHERE

import influence
from influence import DEFAULT_METHOD, METHODS
from influence.experiments.proposals import DEFAULT_STRONGEST
from pages.ui.frame import numbers
from pages.ui.parts.method_menu import name


@pytest.fixture(scope="session")
def tiny(workspaces):
    return influence.open_workspace(workspaces / "tiny")


def board_of(app):
    assert not app.exception, app.exception
    return next(data for data in components(app) if "columns" in data)


def sentence_of(app):
    assert not app.exception, app.exception
    return next(data for data in components(app) if "says" in data)


def column_of(app, kind):
    return next(column for column in board_of(app)["columns"] if column["kind"] == kind)


def cards_of(app, kind):
    return [card["id"] for card in column_of(app, kind)["cards"]]


def rows_of(app):
    assert not app.exception, app.exception
    return next((data["rows"] for data in components(app) if "rows" in data), [])


# The list


def test_the_list_shows_wrong_sentences_first_and_nothing_else(open_page, tiny):
    total, page = tiny.search_tests(influence.TestFilter(wrong=True), limit=20)
    assert [row["id"] for row in rows_of(open_page("explore"))] == list(page["id"])
    assert len(rows_of(open_page("explore", show="all"))) == 20
    assert all(not row["wrong"] for row in rows_of(open_page("explore", show="right")))
    assert total < 30


def test_texts_of_the_list_are_the_data_s(open_page):
    texts = {row["id"]: row["text"] for page in "12" for row in rows_of(open_page("explore", show="all", page=page))}
    assert set(texts) == set(TEST_IDS)
    assert texts["test-1"].startswith("A film 🎬 with a second line\nand a tab\there, ")
    assert any(SCRIPT in text for text in texts.values())


def test_filters_write_the_address_and_the_address_makes_the_list(open_page):
    app = open_page("explore", show="all")
    app.text_input(key="explore_q").set_value("good").run()
    assert parameters_of(app)["q"] == "good"
    assert parameters_of(app)["workspace"] == "tiny"
    found = rows_of(app)
    assert found
    assert all("good" in row["text"] for row in found)
    app.selectbox(key="explore_label").select(IMAGE).run()
    assert rows_of(app) == []
    assert "None of the 30 test sentences" in shown(app)
    app.button[0].click().run()
    assert len(rows_of(app)) == 20


def test_two_filters_at_once_keep_both(open_page):
    app = open_page("explore", show="all")
    app.text_input(key="explore_q").set_value("film")
    app.selectbox(key="explore_predicted").set_value(SCRIPT)
    app.run()
    assert parameters_of(app) == {"workspace": "tiny", "show": "all", "q": "film", "predicted": SCRIPT}


def test_a_filter_that_was_drawn_before_another_change_keeps_that_change(open_page):
    """A busy browser sends the second click before it has heard of the first: with the address of before."""
    app = open_page("explore", show="all")
    app.text_input(key="explore_q").set_value("film").run()
    app.query_params.pop("q")
    app.selectbox(key="explore_predicted").set_value(SCRIPT).run()
    assert parameters_of(app) == {"workspace": "tiny", "show": "all", "q": "film", "predicted": SCRIPT}


def test_confidence_bounds_the_list(open_page, tiny):
    app = open_page("explore", show="all")
    app.slider(key="explore_confidence").set_range(0, 60).run()
    assert parameters_of(app)["high"] == "60"
    assert all(row["confidence"] <= 0.6 for row in rows_of(app))


def test_pages_of_the_list(open_page):
    first, second = (open_page("explore", show="all", page=page) for page in "12")
    assert len(rows_of(first)) == 20
    assert len(rows_of(second)) == 10
    assert not {row["id"] for row in rows_of(first)} & {row["id"] for row in rows_of(second)}
    assert [row["id"] for row in rows_of(open_page("explore", show="all", page="999"))] == [row["id"] for row in rows_of(second)]


def test_links_of_rows_are_addresses_of_their_sentences(open_page):
    row = next(row for row in rows_of(open_page("explore", show="all")) if row["id"] != HOSTILE_ID)
    assert f"id={row['id']}" in row["href"]
    assert "workspace=tiny" in row["href"]


# One sentence


@pytest.mark.parametrize("test_id", ["test-1", "test-7", HOSTILE_ID])
def test_the_board_is_the_engine_s_explanation(open_page, tiny, test_id):
    found = influence.explain(tiny, test_id=test_id, top=10)
    app = open_page("explore", id=test_id)
    assert joined(sentence_of(app)["sides"]) == [found.query.text]
    most = max(abs(one.score) for one in (*found.proponents, *found.opponents))
    for kind, ones in (("plus", found.proponents), ("minus", found.opponents)):
        for card, one in zip(column_of(app, kind)["cards"], ones, strict=True):
            assert card["id"] == one.train.id
            assert (card["share"], card["raw"]) == (numbers.probability(abs(one.score) / most), numbers.score(one.score))
            assert joined(card["sides"]) == [one.train.text]
            assert card["label"] == one.train.label
            assert bool(card["says"]) == (one.train.predicted != one.train.label)
            for sums in (card["sums"], card["query_sums"]):
                assert sum(score for score, _ in sums.values()) == pytest.approx(one.score, rel=1e-2, abs=1e-9)


def method_boxes(app):
    return [box.key for box in app.selectbox if box.key.startswith("explore_method_")]


@pytest.mark.parametrize("method", ANYWHERE)
def test_every_method(open_page, method):
    app = open_page("explore", id="test-3", method=method)
    boxes = [app.selectbox(key=key) for key in method_boxes(app)]
    about = METHODS[method].where_stored(stores_all=False)
    assert about.about in boxes[0].proto.help.replace("\\", "")
    assert boxes[-1].value == method
    if about.slow:  # says what it costs, and waits
        assert not any("columns" in data for data in components(app))
        assert about.cost in html.unescape(shown(app))
        app.button(key=f"explore_compute_{method}").click().run()
    board = board_of(app)
    for column in board["columns"]:
        assert column["cards"] or column["empty"]
        assert METHODS[method].words or not any(card["matches"] for card in column["cards"])


def test_a_slow_answer_is_kept_and_shown_at_once(open_page, tiny):
    app = open_page("explore", id="test-4", method="tracin-third")
    app.button(key="explore_compute_tracin-third").click().run()
    app.button(key="explore_more_10").click().run()
    again = open_page("explore", id="test-4", method="tracin-third")  # another reader
    found = influence.explain(tiny, test_id="test-4", method="tracin-third")
    assert cards_of(again, "plus") == [one.train.id for one in found.proponents]


def test_scores_that_mean_something_else_say_so(open_page):
    says = column_of(open_page("explore", id="test-3", method="representer"), "plus")["meaning"]
    assert says.startswith("Each raises the model's output for “")
    says = column_of(open_page("explore", id="test-3", method="influence-last"), "minus")["meaning"]
    assert says.startswith("Left out, and the last layer fitted again, “")
    assert says.endswith("would become more likely here.")


def test_a_method_that_the_model_cannot_serve_says_so_and_can_be_left(open_page, monkeypatch):
    explain = influence.explain

    def refuse(*args, **options):
        if options["method"] == "tracin-third":
            raise influence.QueryError("method 'tracin-third': this model has no third layer")
        return explain(*args, **options)

    monkeypatch.setattr(influence, "explain", refuse)
    app = open_page("explore", id="test-5", method="tracin-third", tokens="exclude")
    app.button(key="explore_compute_tracin-third").click().run()
    assert not app.exception
    assert app.selectbox(key="explore_method_more_tracin-third").value == "tracin-third"
    assert any("has no third layer" in error.value.replace("\\", "") for error in app.error)


# Two methods side by side


def lists_of(app):
    """The cards of each column of two methods side by side."""
    assert not app.exception, app.exception
    return [column["cards"] for data in components(app) for column in data.get("columns", [])]


def test_two_methods_stand_side_by_side(open_page, tiny):
    app = open_page("explore", id="test-3", versus="tracin-last")
    found = [influence.explain(tiny, test_id="test-3", method=method) for method in ("tracin-we-topk", "tracin-last")]
    app_text = joined(sentence_of(app)["sides"])
    assert app_text == [found[0].query.text]  # the sentence stays in view
    columns = board_of(app)["columns"]
    sides = {"plus": "proponents", "minus": "opponents"}
    expected = [[one.train.id for one in getattr(one_of, sides[columns[at]["kind"]])] for at in (0, 2) for one_of in found]
    assert [[card["id"] for card in cards] for cards in lists_of(app)] == expected
    assert [column["name"].partition(" by ")[2] for column in columns] == [METHODS[one.method].title for one in found] * 2
    for at in (0, 2):
        common = len(set(expected[at]) & set(expected[at + 1]))
        same = f"{common} of the first {max(map(len, expected[at : at + 2]))} are the same"
        assert all(same in column["meaning"] for column in columns[at : at + 2])
    first = getattr(influence.explain(tiny, test_id="test-3", method="tracin-last", top=100), sides[columns[0]["kind"]])
    ranks = {one.train.id: rank for rank, one in enumerate(first, start=1)}
    for row in lists_of(app)[0]:
        place = f"number {ranks[row['id']]}" if row["id"] in ranks else "not among the first 100"
        assert row["foot"] == f"TracIn on the last layer: {place}"
        assert row["state"] == ("in both" if row["id"] in expected[1] else "")
    texts = [[one.train.text] for one in getattr(found[0], sides[columns[0]["kind"]])]
    assert [joined(row["sides"]) for row in lists_of(app)[0]] == texts


def test_the_choice_of_a_second_method_is_in_the_address(open_page):
    app = open_page("explore", id="test-3")
    app.selectbox(key="explore_versus_").select("tracin-last").run()
    assert parameters_of(app)["versus"] == "tracin-last"
    assert len(lists_of(app)) == 4
    app.selectbox(key="explore_method_tracin-we-topk").select("tracin-last").run()  # the same twice is one
    assert parameters_of(app)["method"] == "tracin-last"
    assert "versus" not in parameters_of(app)
    assert board_of(app)


def test_a_slow_second_method_waits_too(open_page):
    app = open_page("explore", id="test-6", versus="tracin-second")
    assert lists_of(app) == []
    app.button(key="explore_compute_tracin-second").click().run()
    assert len(lists_of(app)) == 4


@pytest.mark.parametrize("versus", ["magic", "tracin-we-topk", "<script>"])
def test_a_second_method_that_makes_no_sense_is_left_out(open_page, versus):
    assert board_of(open_page("explore", id="test-3", versus=versus))


@pytest.mark.parametrize("tokens", ["exclude", "only"])
def test_start_and_end_tokens(open_page, tiny, tokens):
    app = open_page("explore", id="test-3", tokens=tokens)
    found = influence.explain(tiny, test_id="test-3", special_tokens=tokens)
    assert cards_of(app, "plus") == [one.train.id for one in found.proponents]
    rests = {card["rest"] for column in board_of(app)["columns"] for card in column["cards"]}
    assert rests <= ({"All of it goes through start and end tokens."} if tokens == "only" else {""})


def test_no_shared_word_is_said(open_page):
    app = open_page("explore", id="test-3", method="tracin-we-noc", tokens="only")
    app.button(key="explore_compute_tracin-we-noc").click().run()
    assert all(not column["cards"] and "no word is shared" in column["empty"] for column in board_of(app)["columns"])
    assert "no training example speaks for it" in shown(app)


def test_more_on_demand(open_page):
    app = open_page("explore", id="test-3")
    first = board_of(app)["columns"][0]["cards"]
    app.button(key="explore_more_10").click().run()
    more = board_of(app)["columns"][0]["cards"]
    assert parameters_of(app)["top"] == "20"
    assert len(more) == 20
    assert [card["id"] for card in more[:10]] == [card["id"] for card in first]


def test_a_pinned_pair_is_open_and_its_parts_sum_to_its_score(open_page, tiny):
    one = influence.explain(tiny, test_id="test-3").opponents[0]
    app = open_page("explore", id="test-3", pin=one.train.id)
    assert board_of(app)["pinned"] == one.train.id
    card = next(card for card in column_of(app, "minus")["cards"] if card["id"] == one.train.id)
    for parts in (card["words"], card["checkpoints"]):
        assert sum(float(share.replace("−", "-").rstrip("%")) for _, share, _ in parts) == pytest.approx(100, abs=len(parts))
        assert all(-1 <= bar <= 1 for *_, bar in parts)


def test_walking_the_list(open_page, tiny):
    ids = list(tiny.search_tests(influence.TestFilter(), limit=30)[1]["id"])
    app = open_page("explore", show="all", id=ids[0])
    assert next(button for button in app.button if button.label == "Previous").disabled
    for wanted in ids[1:4]:
        next(button for button in app.button if button.label == "Next").click().run()
        assert parameters_of(app)["id"] == wanted
    app.button(key="explore_back").click().run()
    assert "id" not in parameters_of(app)
    assert rows_of(app)


def choose_other(app, key, now, wanted):
    """Choose a method that stands under "more"."""
    app.selectbox(key=f"{key}_{now}").select("more").run()
    app.selectbox(key=f"{key}_more_{now}").select(wanted).run()


def test_the_menu_shows_three_methods_and_the_others_under_more(open_page):
    app = open_page("explore", id="test-3")
    menu = app.selectbox(key="explore_method_tracin-we-topk")
    assert menu.options == [
        "TracIn-WE-Topk: through shared words",
        "TracIn on the last layer: through the whole text",
        "BM25: alike texts, a control",
        "More methods…",
    ]
    assert app.selectbox(key="explore_versus_").options == ["no other method", *menu.options[1:]]
    assert method_boxes(app) == ["explore_method_tracin-we-topk"]
    menu.select("more").run()
    assert "method" not in parameters_of(app)
    more = app.selectbox(key="explore_method_more_tracin-we-topk")
    assert more.value is None
    assert {*menu.options[:3], *more.options} == {name(id) for id in METHODS if METHODS[id].needs != "states"}
    more.select("tracin-tfidf").run()
    assert parameters_of(app)["method"] == "tracin-tfidf"
    assert method_boxes(app) == ["explore_method_tracin-tfidf", "explore_method_more_tracin-tfidf"]
    app.selectbox(key="explore_method_tracin-tfidf").select("bm25").run()
    assert parameters_of(app)["method"] == "bm25"
    assert method_boxes(app) == ["explore_method_bm25"]


def test_choices_write_the_address(open_page):
    app = open_page("explore", id="test-3")
    choose_other(app, "explore_method", "tracin-we-topk", "tracin-we-syn")
    assert parameters_of(app)["method"] == "tracin-we-syn"
    label = app.selectbox(
        key=f"explore_target_{SCRIPT}" if app.session_state[f"explore_target_{SCRIPT}"] else f"explore_target_{IMAGE}"
    )
    other = IMAGE if label.value == SCRIPT else SCRIPT
    label.select(other).run()
    assert parameters_of(app)["target"] == other
    assert board_of(app)["label"] == other
    assert column_of(app, "plus")["title"] == f"Towards “{other}”"


# A text of the reader's own


def test_a_typed_text(open_page, tiny):
    app = open_page("explore", own="1")
    app.text_area[0].set_value("a good film")
    app.button[0].click().run()
    assert parameters_of(app)["text"] == "a good film"
    found = influence.explain(tiny, text="a good film")
    assert joined(sentence_of(app)["sides"]) == ["a good film"]
    assert cards_of(app, "plus") == [one.train.id for one in found.proponents]


def test_a_typed_text_with_a_target_label(open_page):
    for label in (SCRIPT, IMAGE):
        app = open_page("explore", own="1", text=f"a film {SCRIPT}", target=label)
        assert board_of(app)["label"] == label
        assert joined(sentence_of(app)["sides"]) == [f"a film {SCRIPT}"]


def test_a_blank_text_is_a_message(open_page):
    app = open_page("explore", own="1", text="  ")
    assert not app.exception
    assert "at least one word" in shown(app)


def test_a_variation_starts_from_the_sentence(open_page, tiny):
    app = open_page("explore", id="test-3")
    app.button(key="explore_edit_test-3").click().run()
    text = influence.explain(tiny, test_id="test-3").query.text
    assert app.text_area[0].value == text
    assert joined(sentence_of(app)["sides"]) == [text]


def test_pairs(open_page, pair_workspaces):
    app = open_page("explore", root=pair_workspaces, id="test-3")
    assert len(joined(sentence_of(app)["sides"])) == 2
    assert joined(sentence_of(app)["sides"])[1].startswith("and then ")
    app = open_page("explore", root=pair_workspaces, own="1", text="a good film", pair="and then a bad one")
    assert joined(sentence_of(app)["sides"]) == ["a good film", "and then a bad one"]
    app = open_page("explore", root=pair_workspaces, own="1", text="only one")
    assert not app.exception
    assert "pairs of texts" in shown(app)


# Addresses that nobody should trust

BAD = {
    "show": "<b>", "label": "nope", "predicted": "../..", "low": "-1", "high": "1e9", "page": "0", "own": "2", "target": "x",
    "method": "rm -rf", "tokens": "'", "top": "99999",
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), BAD.items())
@pytest.mark.parametrize("view", [{}, {"id": "test-3"}])
def test_bad_values_are_named_and_left_out(open_page, name, value, view):
    app = open_page("explore", **view, **{name: value})
    assert not app.exception
    assert name in app.warning[0].value
    assert value not in app.warning[0].value or value in "x'"
    assert components(app)


@pytest.mark.parametrize("value", ["nope", "<script>alert(1)</script>", "' or 1=1 --", "\0", "é" * 3000, "rt-0004\nx"])
def test_an_unknown_id_is_a_message(open_page, value):
    app = open_page("explore", id=value)
    assert not app.exception
    assert app.error
    assert "<script>" not in shown(app)


def test_a_choice_that_is_taken_back_is_told_to_the_browser(open_page):
    """Which opened the card itself, and draws nothing where the content is that of before."""
    app = open_page("explore", id="test-3")
    before = board_of(app)
    one = column_of(app, "minus")["cards"][0]["id"]
    trigger(app, lambda data: "columns" in data, "chosen", one)
    assert parameters_of(app)["pin"] == one
    assert board_of(app)["pinned"] == one
    del app.query_params["pin"]
    app.run()
    assert "pin" not in parameters_of(app)
    assert board_of(app) == {**before, "choices": before["choices"] + 1}


def test_an_unknown_pin_is_left_out(open_page):
    app = open_page("explore", id="test-3", pin="nope")
    assert board_of(app)["pinned"] == ""


def test_crossed_confidence_bounds(open_page):
    app = open_page("explore", low="90", high="10")
    assert not app.exception
    assert "low, high" in app.warning[0].value


# On to the training labels


def test_a_wrong_prediction_leads_to_the_suspects_behind_it(open_page, tiny):
    for wrong in (True, False):
        _, page = tiny.search_tests(influence.TestFilter(wrong=wrong), limit=1)
        id = page["id"].iloc[0]
        links = [link.proto for link in open_page("explore", show="all", id=id).main.get("page_link")]
        links = [link for link in links if link.label != "What a score means"]
        expected = {"Is this ranking right?": {"change": [f"top:{id}:{DEFAULT_METHOD}"]}}
        if wrong:
            mistake = {"test": [id]}, {"change": [f"opponents:{id}:{DEFAULT_STRONGEST}"]}
            expected = dict(zip(("Suspects behind it", "What would fix this?"), mistake, strict=True)) | expected
        assert [link.label for link in links] == list(expected)
        for link, rest in zip(links, expected.values(), strict=True):
            assert parse_qs(link.query_string) == {"workspace": ["tiny"], **rest}


def test_the_ranking_on_screen_is_the_one_put_to_the_test(open_page, tiny):
    """By the chosen method; and not where another question was asked than a removal would be ranked by."""
    _, page = tiny.search_tests(influence.TestFilter(wrong=False), limit=1)
    id = page["id"].iloc[0]
    other = next(label for label in tiny.info.labels if label != page["label"].iloc[0])
    for question, there in (
        ({"method": "bm25"}, True),
        ({"method": "random"}, True),
        ({"target": other}, False),
        ({"tokens": "exclude"}, False),
        ({"tokens": "exclude", "method": "bm25"}, True),
    ):
        links = [link.proto for link in open_page("explore", show="all", id=id, **question).main.get("page_link")]
        found = [parse_qs(link.query_string)["change"] for link in links if link.label == "Is this ranking right?"]
        assert found == ([[f"top:{id}:{question.get('method', DEFAULT_METHOD)}"]] if there else [])


def test_cards_lead_to_review(open_page):
    assert board_of(open_page("explore", id="test-3"))["review"] == "review?workspace=tiny&id="
