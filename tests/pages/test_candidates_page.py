"""New rows on the Data page without a browser: asked, computed beside the server, listed with every text escaped."""

import json
import time
from pathlib import Path

import pytest
from conftest import IMAGE, SCRIPT, shown

import influence
from influence.candidates import read_ranking
from pages.ui.data import DataAddress
from pages.ui.data.candidates import asking, listing
from pages.ui.frame import state

PAGE = "data_and_runs"
NEW = [
    {"text": f"a good film {SCRIPT}", "label": SCRIPT},
    {"text": f"the bad actor of this story {IMAGE}", "label": IMAGE},
    {"text": "a scene so bad", "label": ""},
    {"text": "a film of a plot", "label": SCRIPT},
]


@pytest.fixture
def root(workspaces, tmp_path, monkeypatch):
    """A root with `tiny` and files of new rows in its data folder."""
    import shutil

    folder = tmp_path / "root"
    shutil.copytree(workspaces / "tiny", folder / "tiny")
    (folder / "data").mkdir()
    (folder / "data" / "new.jsonl").write_text("".join(json.dumps(row) + "\n" for row in NEW), encoding="utf-8")
    (folder / "data" / "other.csv").write_text("1,2\n3,4\n3,5\n", encoding="utf-8")
    monkeypatch.setenv("WORDTRACE_WORKSPACES", str(folder))
    return folder


def wait_for(app, key: str):
    until = time.monotonic() + 90
    while asking.job_of(key) is not None and not asking.job_of(key).failed:
        assert time.monotonic() < until
        time.sleep(0.1)
    return app.run()


def asked(root: Path, **fields) -> tuple[DataAddress, str]:
    workspace = influence.open_workspace(root / "tiny")
    address = DataAddress(part="candidates", workspace="tiny", **fields)
    return address, asking.key_of(workspace, address, asking.options(workspace, address))


def test_rows_are_ranked_beside_the_server_and_listed(open_page, root):
    app = open_page(PAGE, root=root, part="candidates", workspace="tiny", new="new.jsonl")
    assert not app.exception
    _, key = asked(root, new="new.jsonl")
    assert asking.file_of(key) is None
    app = wait_for(app.button(key="candidates_start").click().run(), key)
    assert not app.exception
    found = read_ranking(asking.file_of(key))
    assert "4 rows, the most helpful first" in shown(app)
    assert "1 row without a label: scored by the label that the model finds most probable" in shown(app)
    assert not [button for button in app.button if button.key == "candidates_start"]
    assert SCRIPT not in "".join(element.proto.body for element in app.get("html"))
    # What the list is given: the texts whole, the words with what each carries, the mistake that is helped most.
    address = asked(root, new="new.jsonl")[0]
    for row in found.frame.to_dict("records"):
        line = listing._row(address, row)
        assert "".join(text for text, *_ in line["sides"][0]) == row["text"]
        lit = {text: word for text, word, _ in line["sides"][0] if word >= 0}
        scores = {word["word"]: word["score"] for word in row["words"] if word["side"] == 0}
        assert set(lit) == set(scores)
        assert {text: line["sums"][str(word)][0] for text, word in lit.items()} == {
            text: pytest.approx(score, rel=1e-3) for text, score in scores.items()
        }
        assert line["labels"][1][0] == (f"{row['label']}, guessed" if row["text"] == "a scene so bad" else row["label"])
        assert ("Helps most" in line["reason"]) == (row["mistake_id"] is not None)


def test_other_columns_and_sentences_that_are_not_there_are_told_in_one_line(open_page, root):
    for fields, said in (
        ({"new": "other.csv", "given": SCRIPT, "said": SCRIPT}, "has no wrong test predictions"),
        ({"new": "new.jsonl", "sentence": "--help"}, "unknown test id '--help'"),
    ):
        app = open_page(PAGE, root=root, part="candidates", workspace="tiny", **fields)
        _, key = asked(root, **fields)
        app = wait_for(app.button(key="candidates_start").click().run(), key)
        assert not app.exception
        [error] = app.error
        assert said in error.value.replace("\\", "")
        assert asking.file_of(key) is None


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", "nope.csv", SCRIPT])
def test_no_path_from_an_address_is_ranked(open_page, root, name):
    app = open_page(PAGE, root=root, part="candidates", workspace="tiny", new=name)
    assert not app.exception
    assert not [button for button in app.button if button.key == "candidates_start"]
    place = state.place_of(root, among=root)
    assert not (place / asking.RANKINGS).exists()
    with pytest.raises(influence.DataError):
        asked(root, new=name)


def test_an_address_that_fits_nothing_is_passed_over(open_page, root):
    app = open_page(PAGE, root=root, part="candidates", workspace="tiny", new="new.jsonl", given="nobody", rank="best", page="x")
    assert not app.exception
    assert [box.value for box in app.selectbox if box.key == "candidates_given"] == [""]
    assert [box.value for box in app.selectbox if box.key == "candidates_rank"] == ["influence"]
