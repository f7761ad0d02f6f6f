"""The loop: a workspace built again with its decisions has the same test part, the fixes in its data, and the whole log."""

import csv
import io
import json
import os
import time
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import tiny

from influence import open_workspace
from influence.cli import main
from influence.errors import SettingsError
from influence.fixes import Fix, export_bundle, fix_list, free_name, prepare
from influence.hub import Destination, prepare_upload
from influence.opinion_files import add_rows, heard, state
from influence.review import Queues, Reviewer, open_reviews
from influence.review.log import close_log
from influence.suspects import provenance, scale

ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Workspaces `mine`, its test part split off the training file, and `mine-2`, built again with decisions of two people."""
    root = tmp_path_factory.mktemp("loop")
    file = tiny.write_csv(root / "mine.csv", [row[1:] for row in tiny.rows(80, seed=1)], ("text", "label"))
    built = ["build", "--train", file, "--workspace", str(root / "mine"), "--model", "cnn", "--epochs", "3", "--seed", "5"]
    assert main([*built, "--learning-rate", "0.1", "--encoder", "none", "--top-k", "4", "--max-length", "40"]) == 0
    before = (root / "mine.csv").read_bytes()
    reviews = open_reviews(open_workspace(root / "mine"))
    ids = list(reviews.corpus.examples)
    Queues(reviews).create(ANN, "all", ids[:12])
    turned = {"pos": "neg", "neg": "pos"}
    for id in ids[:3]:
        reviews.decide(ANN, id, "relabel", new_label=turned[reviews.corpus[id].label], note="wrong", queue="q1")
    reviews.decide(BOB, ids[0], "keep")  # of two opinions neither has the majority
    reviews.decide(ANN, ids[3], "remove", queue="q1")
    word = next(w for w in reviews.corpus[ids[4]].text.split() if len(set(reviews.corpus[ids[4]].text.split())) > 1)
    reviews.decide(ANN, ids[4], "mask", words=(word,), queue="q1")
    reviews.decide(ANN, ids[5], "keep", queue="q1")
    reviews.decide(ANN, ids[6], "flag", queue="q1")
    close_log(root / "mine")
    add_rows(reviews.workspace, [("ann", id, "pos", None) for id in ids[:9]], source="ann.jsonl")
    time.sleep(0.01)
    assert main(["build", "--workspace", str(root / "mine"), "--with-fixes"]) == 0
    assert (root / "mine.csv").read_bytes() == before
    return root


def test_the_test_part_is_the_same_and_the_fixes_are_in_the_training_part(loop: Path) -> None:
    one, two = open_workspace(loop / "mine"), open_workspace(loop / "mine-2")
    assert two.store.split_columns("test") == one.store.split_columns("test")
    was, now = (
        {id: (text, label) for id, text, label in zip(*w.store.split_columns("train").values(), strict=True)} for w in (one, two)
    )
    ids = list(was)
    turned = {"pos": "neg", "neg": "pos"}
    wanted = dict(was)
    for id in ids[1:3]:
        wanted[id] = (was[id][0], turned[was[id][1]])
    del wanted[ids[3]]
    [fix] = [f for f in fix_list(open_reviews(one)).fixes if f.action == "mask"]
    assert now.pop(ids[4]) == (wanted.pop(ids[4])[0].replace(fix.words[0], "").replace("  ", " ").strip(), was[ids[4]][1])
    assert now == wanted
    same = ("model", "top_k", "max_length", "labels", "n_test")
    assert [getattr(two.info, name) for name in same] == [getattr(one.info, name) for name in same]
    assert two.info.settings["training"] == one.info.settings["training"]
    assert two.info.settings["made_from"]["counts"] == {"relabel": 2, "remove": 1, "mask": 1}
    assert pq.read_table(loop / "mine-2" / "data" / "train.parquet").num_rows == len(was) - 1
    close_log(loop / "mine")


def test_what_was_decided_is_kept_and_not_asked_again(loop: Path) -> None:
    reviews = open_reviews(open_workspace(loop / "mine-2"))
    old = open_reviews(open_workspace(loop / "mine"))
    assert reviews.audit().equals(old.audit())
    ids = list(old.corpus.examples)
    found = fix_list(reviews)
    assert [(fix.example_id, fix.action, fix.reviewer) for fix in found.fixes] == [(ids[5], "keep", "ann")]
    assert (found.applied, found.changes, found.unmatched, found.settled) == (4, 0, [], [])
    assert [c.example_id for c in found.conflicts] == [ids[0]]
    queues = Queues(reviews)
    [queue] = queues.all()
    progress = queues.progress(queue.id, ANN)
    assert (progress.total, progress.decided, progress.flagged) == (11, 5, 1)  # the removed one is gone
    assert queues.next(queue.id, ANN) == ids[7]
    assert {d.example_id for d in reviews.decisions()} == {*ids[:3], *ids[4:6]}
    found = scale(reviews.workspace, reviews)
    kept = {ids[5], ids[0]}  # the one that two disagree on has one decision for the label that it still has
    assert found.undecided == len(reviews.corpus.examples) - len(kept | {*ids[1:3], ids[4]})
    close_log(loop / "mine")
    close_log(loop / "mine-2")


def test_opinions_of_others_are_carried_over_but_those_of_texts_that_changed(loop: Path) -> None:
    one, two = open_workspace(loop / "mine"), open_workspace(loop / "mine-2")
    assert state(two) == state(one)
    ids = one.train_ids()
    [ann] = heard(two)
    spoken = [two.train_ids()[position] for position in ann.positions_S]
    assert spoken == [id for id in ids[:9] if id not in (ids[3], ids[4])], "one was removed, in another a word was masked"
    assert [opinion["name"] for opinion in provenance(two)["opinions"]][-1] == "ann"
    close_log(loop / "mine")


def test_further_rounds_go_on_top(loop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--workspace", str(loop / "mine-2"), "--with-fixes"]) == 2
    assert "nothing that has been decided changes the data" in capsys.readouterr().err
    two = open_workspace(loop / "mine-2")
    reviews = open_reviews(two)
    ids = list(reviews.corpus.examples)
    masked = json.loads((loop / "mine-2" / "data" / "fixes.jsonl").read_text().splitlines()[-1])
    assert reviews.corpus[masked["example_id"]].text_sha256 == masked["new_text_sha256"]
    reviews.decide(BOB, masked["example_id"], "remove")  # a masked example, once more
    reviews.decide(ANN, ids[0], "keep")  # which ends the disagreement
    assert free_name(two) == "mine-3"
    again = prepare(two, "third")
    assert again.counts == {"remove": 1}
    close_log(loop / "mine-2")
    assert main(["build", "--workspace", str(loop / "mine-2"), "--with-fixes", "--as", "third"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{loop / 'third'}: ")
    assert said[1].startswith(f"{loop / 'third'}: ")  # its size
    assert said[2].startswith("16 test texts in both; accuracy ")
    three = open_reviews(open_workspace(loop / "third"))
    assert masked["example_id"] not in three.corpus.examples
    assert (fix_list(three).applied, fix_list(three).changes, fix_list(three).unmatched) == (4, 0, [])
    close_log(loop / "third")


def test_what_cannot_be_built_again_is_said(loop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = ["build", "--workspace", str(loop / "mine")]
    for options, said in (
        (["--with-fixes", "--epochs", "2"], "--epochs: --with-fixes takes the data and the settings from --workspace"),
        (["--with-fixes", "--as", "mine"], "there is already something called 'mine'"),
        (["--with-fixes", "--as", "../away"], "cannot be a workspace's name"),
        (["--with-fixes", "--resume"], "--resume: say with --as which build is to go on"),
        (["--train", "x.csv", "--as", "other"], "--as goes with --with-fixes"),
    ):
        assert main([*mine, *options]) == 2
        assert said in capsys.readouterr().err
    with pytest.raises(SystemExit) as error:
        main(mine)
    assert error.value.code == 2
    assert "the following arguments are required: --train" in capsys.readouterr().err
    assert {file.name for file in loop.iterdir()} >= {"mine", "mine-2", "mine.csv"}
    with pytest.raises(SettingsError):
        prepare(open_workspace(loop / "mine"), "a/b")


def test_a_list_of_fixes_that_is_not_what_was_written_is_named(loop: Path) -> None:
    file = loop / "mine-2" / "data" / "fixes.jsonl"
    content = file.read_bytes()
    try:
        file.write_bytes(content.replace(b"ann", b"eve", 1))
        with pytest.raises(Exception, match="it is not what was written"):
            fix_list(open_reviews(open_workspace(loop / "mine-2")))
    finally:
        file.write_bytes(content)
        close_log(loop / "mine-2")
        os.sync()


def test_the_zip_of_a_workspace_that_was_built_again_has_the_first_file_with_all_fixes(loop: Path) -> None:
    """The user's own file, in its form, with the fixes of both rounds; of what nobody decided not a byte is changed."""
    three = open_workspace(loop / "third")
    reviews = open_reviews(three)
    with zipfile.ZipFile(io.BytesIO(export_bundle(reviews))) as bundle:
        content = bundle.read("corrected-mine.csv").decode()
        assert len(bundle.read("fixed-before.jsonl").splitlines()) == 5
    rows = list(csv.DictReader(io.StringIO((loop / "mine.csv").read_text())))
    first = open_workspace(loop / "mine")
    ids = first.train_ids()
    now = dict(zip(three.train_ids(), zip(*list(three.store.split_columns("train").values())[1:], strict=True), strict=True))
    wanted = [
        (row["text"], row["label"]) if str(n) not in ids else now[str(n)]
        for n, row in enumerate(rows)
        if str(n) not in ids or str(n) in now
    ]
    assert [(row["text"], row["label"]) for row in csv.DictReader(io.StringIO(content))] == wanted
    assert len(wanted) == len(rows) - 2
    close_log(loop / "third")


def test_a_push_of_a_workspace_that_was_built_again_lists_the_fixes_of_the_rounds_before(loop: Path) -> None:
    """Nothing but them was decided, and the data that they are in is what goes to the Hub."""
    reviews = open_reviews(open_workspace(loop / "mine-2"))
    upload = prepare_upload(reviews, Destination(repo="me/mine"), reviewers=["nobody"])
    rows = pq.read_table(io.BytesIO(upload.data["fixes-before.parquet"])).to_pylist()
    unnamed = {"reviewer": "", "reason": ""}
    assert rows == [{name: (fix | unnamed)[name] for name in Fix._fields} for fix in reviews.corpus.applied.fixes]
    assert [row["action"] for row in rows] == ["relabel", "relabel", "remove", "mask"]
    assert read_rows(upload.data["data/train.parquet"]) == read_rows((loop / "mine-2" / "data" / "train.parquet").read_bytes())
    assert upload.data["data/test.parquet"] == (loop / "mine-2" / "data" / "test.parquet").read_bytes()
    assert "- Examples corrected in earlier rounds: 4; `fixes-before.parquet` lists them." in upload.card.section.splitlines()
    close_log(loop / "mine-2")


def test_a_part_that_was_set_aside_stays_in_the_file_that_is_pushed(loop: Path) -> None:
    reviews = open_reviews(open_workspace(loop / "mine"))
    upload = prepare_upload(reviews, Destination(repo="me/mine", path="mine.csv"))
    assert [*upload.data] == ["mine.csv", "fixes.parquet"]
    assert len(list(csv.reader(io.StringIO(upload.data["mine.csv"].decode())))) == 80  # a header, and one row removed
    assert "the test part was set aside from the training data, and its rows stay in there" in upload.notes
    close_log(loop / "mine")


def read_rows(content: bytes) -> list[dict[str, str]]:
    return list(pq.read_table(io.BytesIO(content)).to_pylist())
