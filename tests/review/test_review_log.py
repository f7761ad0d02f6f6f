"""The review log: nothing that was confirmed is ever lost, whatever happens to the process or to either file."""

import hashlib
import json
import os
import random
import re
import shutil
from pathlib import Path

import duckdb
import pytest
from reviewing import Clock, make_workspace, python, reviews_at

from influence.data.edits import EDIT_KINDS, EditKind
from influence.errors import WorkspaceBusy, WorkspaceError, WorkspaceNewer
from influence.review.events import Reviewer
from influence.review.journal import read_journal, seal
from influence.review.log import DATABASE, JOURNAL, LOCK, ReviewLog, open_log
from influence.review.reviews import Reviews, open_reviews, read_reviews
from influence.workspace.workspace import WorkspaceReader

ANN, BOB = Reviewer(name="ann"), Reviewer(name="bob")
KILLS = 3


@pytest.fixture
def workspace(tmp_path: Path) -> WorkspaceReader:
    return make_workspace(tmp_path / "ws")


def fill(reviews: Reviews) -> None:
    """Four records: two decisions, an undo and a note."""
    reviews.decide(ANN, "e0", "relabel", new_label="Sport", note="baseball")
    reviews.decide(BOB, "e1", "remove")
    reviews.undo(BOB)
    reviews.add_note(BOB, "e2", "ask")


def facts(reviews: Reviews) -> list[tuple[object, ...]]:
    """Everything the log says, for comparing."""
    columns = ["seq", "at", "reviewer", "kind", "example_id", "new_label", "note", "target", "undone"]
    return [tuple(map(str, row)) for row in reviews.audit()[columns].itertuples(index=False)]


def files(folder: Path) -> list[str]:
    return sorted(re.sub(r"-\d{8}T\d+Z", "", file.name) for file in folder.glob("reviews*") if file.name != LOCK)


def test_a_journal_line_can_be_read_by_anybody_and_names_the_line_before(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace, Clock(1000))
    reviews.decide(ANN, "e0", "relabel", new_label="Sport", note="baseball")
    reviews.undo(ANN)
    reviews.close()
    first, second = [json.loads(line) for line in (workspace.path / JOURNAL).read_text().splitlines()]
    assert second.pop("digest") != first["digest"]
    assert second.pop("previous") == first.pop("digest")
    assert first == {
        "seq": 1,
        "previous": "",
        "v": 1,
        "type": "act",
        "reviewer": "ann",
        "auth": "local",
        "session": "",
        "app": "0.1.0",
        "build": "b1",
        "queue": None,
        "origin": None,
        "adjudicates": False,
        "events": [
            {
                "kind": "relabel",
                "example_id": "e0",
                "text_sha256": hashlib.sha256(b"the red sox win the championship series").hexdigest(),
                "old_label": "World",
                "new_label": "Sport",
                "note": "baseball",
            }
        ],
        "at": 1001,
    }
    assert second == {
        "seq": 2,
        "v": 1,
        "type": "undo",
        "reviewer": "ann",
        "auth": "local",
        "session": "",
        "app": "0.1.0",
        "target": 1,
        "at": 1002,
    }


WORKER = """
import sys
from influence import open_workspace
from influence.review.events import Reviewer
from influence.review import open_reviews
reviews = open_reviews(open_workspace(sys.argv[1]))
for turn in range(100):
    action = reviews.decide(Reviewer(name="ann"), f"e{turn % 8}", "keep" if turn // 8 % 2 else "remove", note=str(turn))
    print(action.id, flush=True)
"""


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_kill_loses_nothing_that_was_confirmed(workspace: WorkspaceReader, seed: int) -> None:
    """A process is killed outright somewhere in a hundred decisions; what it had printed as confirmed is all there."""
    stop = random.Random(seed).randrange(5, 95)
    confirmed = []
    with python(WORKER, workspace.path) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            confirmed.append(int(line))
            if len(confirmed) == stop:
                worker.kill()
    assert worker.returncode == -9
    assert confirmed == list(range(1, len(confirmed) + 1))
    reviews = reviews_at(workspace)
    audit = reviews.audit()
    assert set(confirmed) <= set(audit["seq"])
    assert len(audit) <= len(confirmed) + 1  # at most one more was on disk when the axe fell, and had not been printed
    assert list(audit["note"]) == [str(turn) for turn in range(len(audit))]
    assert reviews.log.verify() == []
    reviews.close()


@pytest.mark.parametrize("cut", [1, 17, 90])
def test_a_torn_tail_costs_the_torn_line_only(workspace: WorkspaceReader, cut: int) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    before = facts(reviews)
    reviews.close()
    with (workspace.path / JOURNAL).open("a") as journal:
        journal.write(seal({"type": "undo", "target": 1}, None).line[:cut])
    reviews = reviews_at(workspace)
    assert facts(reviews) == before
    reviews.decide(ANN, "e3", "keep")
    reviews.close()
    assert read_journal(workspace.path / JOURNAL).damaged == []
    assert len(read_journal(workspace.path / JOURNAL).records) == 5


def test_a_line_that_lacks_its_line_break_alone_is_whole(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    reviews.close()
    journal = workspace.path / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-1])
    (workspace.path / DATABASE).unlink()
    reviews = reviews_at(workspace)
    assert len(facts(reviews)) == 4
    reviews.close()
    assert journal.read_bytes().endswith(b"}\n")


def delete(file: Path) -> None:
    file.unlink()


def make_garbage(file: Path) -> None:
    file.write_bytes(b"not a database" * 100)


def flip_bytes(file: Path) -> None:
    content = bytearray(file.read_bytes())
    for at in range(12_288, len(content), 4096):
        content[at] ^= 0xFF
    file.write_bytes(content)


def forget_schema(file: Path) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute("drop table schema_versions")


@pytest.mark.parametrize(
    ("spoil", "left"),
    [
        (delete, [DATABASE, JOURNAL]),
        (make_garbage, [DATABASE, f"{DATABASE}.damaged", JOURNAL]),
        (flip_bytes, [DATABASE, f"{DATABASE}.damaged", JOURNAL]),
        (forget_schema, [DATABASE, f"{DATABASE}.damaged", JOURNAL]),
    ],
)
def test_a_bad_database_is_rebuilt_from_the_journal_and_kept_aside(workspace: WorkspaceReader, spoil, left) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    before = facts(reviews)
    reviews.close()
    spoil(workspace.path / DATABASE)
    reviews = reviews_at(workspace)
    assert facts(reviews) == before
    warned = [line.split(" (")[0] for line in reviews.warnings]
    assert warned == ([] if spoil is delete else ["reviews.duckdb was damaged"])
    reviews.close()
    assert files(workspace.path) == left


def test_an_older_database_is_migrated_and_filled_from_its_records(workspace: WorkspaceReader) -> None:
    """One that knows only the first migration has no queues table, though its records made a queue."""
    from influence.review.queues import Queues

    reviews = reviews_at(workspace)
    fill(reviews)
    queue = Queues(reviews).create(ANN, "all", ["e3", "e4"])
    before = facts(reviews)
    reviews.close()
    with duckdb.connect(str(workspace.path / DATABASE)) as connection:
        for view in ("live", "undone"):
            connection.execute(f"drop view {view}")
        for table in ("queues", "queue_items", "leases"):
            connection.execute(f"drop table {table}")
        connection.execute("delete from schema_versions where version > 1")
    reviews = reviews_at(workspace)
    assert facts(reviews) == before
    assert Queues(reviews).all() == [queue]
    assert reviews.warnings == []
    reviews.close()


def test_a_migration_stopped_before_the_tables_are_filled_is_done_again(
    workspace: WorkspaceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    from influence.review.tables import ReviewStore

    reviews = reviews_at(workspace)
    fill(reviews)
    before = facts(reviews)
    reviews.close()
    with duckdb.connect(str(workspace.path / DATABASE)) as connection:
        connection.execute("delete from events")
        connection.execute("delete from schema_versions where version > 3")

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ReviewStore, "_insert", stopped)
        with pytest.raises(KeyboardInterrupt):
            ReviewLog(workspace.path)
    reviews = reviews_at(workspace)
    assert facts(reviews) == before
    reviews.close()


def test_an_action_added_after_a_database_was_made_is_accepted_and_shown(
    workspace: WorkspaceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Version 3 wrote the kinds of its day into two views; the file is what it made, the vocabulary has grown since."""
    from influence.review.queues import Queues

    reviews = reviews_at(workspace)
    fill(reviews)
    queue = Queues(reviews).create(ANN, "all", ["e5", "e6"])
    reviews.close()
    with duckdb.connect(str(workspace.path / DATABASE)) as connection:
        for view, kinds in (
            ("standings", "('keep', 'relabel', 'remove', 'mask', 'flag', 'skip')"),
            ("decisions", "('keep', 'relabel', 'remove', 'mask')"),
        ):
            connection.execute(f"""
                create view {view} as select * from live where kind in {kinds}
                qualify row_number() over (partition by example_id, reviewer, adjudicates order by seq desc, item desc) = 1
            """)
        connection.execute("delete from schema_versions where version > 3")
    monkeypatch.setitem(EDIT_KINDS, "escalate", EditKind())

    reviews = reviews_at(workspace)
    queues = Queues(reviews)
    assert queues.next(queue.id, ANN) == "e5"
    reviews.decide(ANN, "e5", "escalate", queue=queue.id)
    assert [(d.example_id, d.kind) for d in reviews.decisions(["e5"])] == [("e5", "escalate")]
    standing = reviews.standing("e5", ANN)
    assert standing is not None
    assert standing.kind == "escalate"
    assert queues.next(queue.id, ANN) == "e6"
    assert queues.progress(queue.id, ANN).decided == 1
    assert reviews.warnings == []
    reviews.close()
    reviews = reviews_at(workspace)  # and after the file was closed
    assert [d.kind for d in reviews.decisions(["e5"])] == ["escalate"]
    reviews.close()


def test_a_missing_journal_is_written_again_from_the_database(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    reviews.close()
    journal = workspace.path / JOURNAL
    before = journal.read_bytes()
    journal.unlink()
    reviews = reviews_at(workspace)
    assert reviews.warnings == ["4 records that reviews.jsonl lacked were put back from the database"]
    reviews.close()
    assert journal.read_bytes() == before


def test_a_damaged_line_is_mended_from_the_database(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    before = facts(reviews)
    reviews.close()
    journal = workspace.path / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole.replace(b"baseball", b"football"))
    reviews = reviews_at(workspace)
    assert facts(reviews) == before
    assert [line.split("; it is now")[0] for line in reviews.warnings] == [
        "reviews.jsonl was damaged (line 1) and has been rewritten"
    ]
    reviews.close()
    assert journal.read_bytes() == whole
    assert files(workspace.path) == [DATABASE, JOURNAL, f"{JOURNAL}.damaged"]


def test_what_both_files_have_lost_is_said_and_the_rest_is_kept(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    reviews.close()
    (workspace.path / DATABASE).unlink()
    journal = workspace.path / JOURNAL
    journal.write_bytes(journal.read_bytes().replace(b'"example_id":"e1"', b'"example_id":"e7"'))
    reviews = reviews_at(workspace)
    assert reviews.warnings[0] == "record 2 is lost: damaged in the journal and not in the database"
    assert reviews.log.verify() == reviews.warnings[:1]
    assert [row[3] for row in facts(reviews)] == ["relabel", "undo", "note"]
    reviews.close()


def test_both_files_behind_the_other_in_places_are_merged(workspace: WorkspaceReader) -> None:
    """An old database from a backup, and a journal whose end was cut off further back."""
    reviews = reviews_at(workspace)
    reviews.decide(ANN, "e0", "keep")
    reviews.close()
    shutil.copy(workspace.path / DATABASE, workspace.path / "backup")
    reviews = reviews_at(workspace)
    fill(reviews)
    before = facts(reviews)
    reviews.close()
    shutil.copy(workspace.path / "backup", workspace.path / DATABASE)
    reviews = reviews_at(workspace)
    assert facts(reviews) == before
    reviews.close()
    journal = workspace.path / JOURNAL
    journal.write_text("".join(journal.read_text().splitlines(keepends=True)[:2]))
    reviews = reviews_at(workspace)
    assert facts(reviews) == before
    reviews.close()
    assert len(journal.read_text().splitlines()) == 5


def test_files_of_two_different_logs_are_refused(tmp_path: Path) -> None:
    for name in ("one", "two"):
        reviews = reviews_at(make_workspace(tmp_path / name))
        reviews.decide(ANN, "e0", "keep", note=name)
        reviews.close()
    shutil.copy(tmp_path / "one" / JOURNAL, tmp_path / "two" / JOURNAL)
    with pytest.raises(WorkspaceError) as error:
        ReviewLog(tmp_path / "two")
    assert str(error.value) == (
        "reviews.jsonl and reviews.duckdb tell different stories from record 1: they are not copies of one log; "
        "move the wrong one of the two out of the workspace"
    )


def test_files_of_a_newer_version_are_refused(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    reviews.close()
    with duckdb.connect(str(workspace.path / DATABASE)) as connection:
        connection.execute("insert into schema_versions values (99)")
    with pytest.raises(WorkspaceNewer, match=r"reviews.duckdb' has schema version 99, this Wordtrace knows 6; install a newer"):
        ReviewLog(workspace.path)
    (workspace.path / DATABASE).unlink()
    newer = seal({"type": "act"}, None).line
    body = "{" + newer[45:].replace('"v":1', '"v":3')
    from influence.review import journal

    (workspace.path / JOURNAL).write_text(f'{{"digest":"{journal._digest(body)}",{body[1:]}\n')
    with pytest.raises(WorkspaceNewer, match=r"has lines of version 3, this Wordtrace knows 2; install a newer Wordtrace"):
        ReviewLog(workspace.path)
    assert files(workspace.path) == [DATABASE, JOURNAL]


def test_a_journal_deleted_under_the_app_is_written_again(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    journal = workspace.path / JOURNAL
    journal.unlink()
    reviews.decide(ANN, "e5", "remove")
    assert reviews.warnings == ["reviews.jsonl was deleted or replaced while in use and has been written again"]
    reviews.close()
    assert [record.seq for record in read_journal(journal).records] == [1, 2, 3, 4, 5]


def test_a_second_process_is_told_who_has_the_reviews_and_can_still_export(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    other = python(
        """
import sys
from influence import open_workspace
from influence.errors import WorkspaceBusy
from influence.review import open_reviews, read_reviews
workspace = open_workspace(sys.argv[1])
try:
    open_reviews(workspace)
except WorkspaceBusy as error:
    print(error)
seen = read_reviews(workspace)
print([(d.example_id, d.kind, d.new_label, d.note) for d in seen.decisions()], seen.warnings)
""",
        workspace.path,
    )
    output, errors = other.communicate(timeout=60)
    assert errors == ""
    assert output.splitlines() == [
        f"the reviews of workspace {str(workspace.path)!r} are open in another process ({os.getpid()}); "
        "use the app that runs there, or stop it first",
        "[('e0', 'relabel', 'Sport', 'baseball')] []",
    ]
    reviews.close()


def test_a_copy_for_reading_takes_no_decision(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    copy = read_reviews(workspace)
    with pytest.raises(WorkspaceError, match="opened for reading; nothing was saved"):
        copy.decide(ANN, "e5", "keep")
    copy.close()
    reviews.close()
    copy = read_reviews(workspace)  # nobody has it now
    again = reviews_at(workspace)  # and a copy keeps nobody from writing
    again.decide(ANN, "e5", "keep")
    assert (len(facts(copy)), len(facts(again))) == (4, 5)
    copy.close()
    again.close()


def test_reading_mends_what_nobody_has_open_and_says_so(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    fill(reviews)
    reviews.close()
    make_garbage(workspace.path / DATABASE)
    copy = read_reviews(workspace)
    assert [line.split(" (")[0] for line in copy.warnings] == ["reviews.duckdb was damaged"]
    assert len(facts(copy)) == 4
    copy.close()
    assert files(workspace.path) == [DATABASE, f"{DATABASE}.damaged", JOURNAL]


def test_reading_reviews_that_nobody_has_made(workspace: WorkspaceReader) -> None:
    with pytest.raises(WorkspaceError, match="has no decisions yet; make some in the app"):
        read_reviews(workspace)
    assert files(workspace.path) == []


def test_one_process_has_one_log_and_one_reviews_a_build(workspace: WorkspaceReader) -> None:
    reviews = open_reviews(workspace)
    assert open_reviews(workspace) is reviews
    rebuilt = make_workspace(workspace.path, build="b2")
    later = open_reviews(rebuilt)
    assert later is not reviews
    assert later.log is reviews.log is open_log(workspace.path)
    reviews.close()
    assert open_reviews(rebuilt) is not later
    open_reviews(rebuilt).close()


LIMITED = """
import resource, signal, sys
from pathlib import Path
from influence import open_workspace
from influence.errors import WorkspaceError
from influence.review.events import Reviewer
from influence.review import open_reviews
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, grow = Path(sys.argv[1]), sys.argv[2]
reviews = open_reviews(open_workspace(folder))
ann = Reviewer(name="ann")
reviews.decide(ann, "e0", "keep")
if grow == "journal":  # make the journal the larger file
    for turn in range(150):
        reviews.add_note(ann, "e0", "x" * 2000 + str(turn))
    reviews.log.store.rows("checkpoint")
sizes = {name: (folder / name).stat().st_size for name in ("reviews.jsonl", "reviews.duckdb.wal") if (folder / name).exists()}
limit = sizes["reviews.jsonl"] + 100 if grow == "journal" else sizes["reviews.duckdb.wal"] + 10
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
try:
    print(reviews.decide(ann, "e1", "remove").kind)
except WorkspaceError as error:
    print(str(error).replace(str(folder), "WS"))
reviews.decisions()  # of the tables, which are brought up to date first
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print([line.split(" (")[0] for line in reviews.warnings])
reviews.decide(ann, "e2", "keep")
print([(d.example_id, d.kind) for d in reviews.decisions()])
"""


@pytest.mark.parametrize(
    ("full", "said"),
    [
        (
            "journal",
            [
                "nothing was saved: 'WS/reviews.jsonl' cannot be written (File too large)",
                "[]",
                "[('e0', 'keep'), ('e2', 'keep')]",
            ],
        ),
        ("database", ["remove", "['reviews.duckdb cannot be written']", "[('e0', 'keep'), ('e1', 'remove'), ('e2', 'keep')]"]),
    ],
)
def test_a_full_disk_confirms_nothing_that_is_not_saved(workspace: WorkspaceReader, full: str, said: list[str]) -> None:
    """The system refuses to let a file grow, as on a full disk: the journal, or only the database."""
    worker = python(LIMITED, workspace.path, full)
    output, errors = worker.communicate(timeout=120)
    assert errors == ""
    assert output.splitlines() == said
    reviews = reviews_at(workspace)
    assert str([(d.example_id, d.kind) for d in reviews.decisions()]) == said[-1]
    assert reviews.log.verify() == []
    reviews.close()


def test_opening_what_another_log_of_this_process_holds(workspace: WorkspaceReader) -> None:
    reviews = reviews_at(workspace)
    with pytest.raises(WorkspaceBusy):
        ReviewLog(workspace.path, wait=0)
    reviews.close()
