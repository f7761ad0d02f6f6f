"""What is kept in memory of a log is what its lines say, whatever was done in which order; and a snapshot with a tail is the log.

The oracle reads the journal's lines and knows nothing else: what stands is what nobody has undone, and the latest of it counts.
"""

import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings, strategies as st
from reviewing import Clock, decide_many, make_workspace, python, reviews_at

from influence.errors import WorkspaceError
from influence.review.events import Evidence, Reviewer
from influence.review.journal import read_journal, seal
from influence.review.log import DATABASE, JOURNAL, MOST_PENDING, ReviewLog
from influence.review.queues import Queues
from influence.review.reviews import Reviews, read_reviews
from influence.standing import Board, BoardItem, Lease

NAMES = ("ann", "bob", "cat")
ROWS = [(f"m{n}", f"text number {n}", ("World", "Sport")[n % 2]) for n in range(8)]
IDS = [row[0] for row in ROWS]
DECISIONS = ("keep", "relabel", "remove")
KINDS = (*DECISIONS, "flag", "skip")
QUEUES = {"q1": (IDS, 1, False), "q2": (IDS[::-1], 2, False), "q3": (IDS[:4], 1, True), "q4": (IDS[2:6], 2, False)}
PLANTED = {"m0": "Sport", "m7": "World"}  # in q4, under the other label


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / JOURNAL).read_text().splitlines()]


class Oracle:
    """The answers, worked out from the lines alone."""

    def __init__(self, folder: Path) -> None:
        self.lines, undone = lines(folder), set()
        for line in self.lines:
            if line["type"] in ("undo", "redo"):
                (undone.add if line["type"] == "undo" else undone.discard)(line["target"])
        self.acts = [line for line in self.lines if line["type"] == "act" and line["seq"] not in undone]

    def latest(self, id: str, kinds: tuple[str, ...], *, adjudicates: bool, control_of: str | None) -> dict[str, str]:
        """Each reviewer's latest event of these kinds on an example."""
        return {
            line["reviewer"]: event["kind"]
            for line in self.acts
            for event in line["events"]
            if event["example_id"] == id
            and event["kind"] in kinds
            and line["adjudicates"] == adjudicates
            and (line["queue"] if line.get("control") else None) == control_of
        }

    def order(self, queue: str) -> list[str]:
        return [id for line in self.lines if line["type"] == "queue" and line["queue"] == queue for id, _ in line["items"]]

    def open(self, queue: str, who: str) -> list[str]:
        """What a reviewer may be given while nobody has anything on screen."""
        _, overlap, adjudicates = QUEUES[queue]
        found = []
        for id in self.order(queue):
            on = {"adjudicates": adjudicates, "control_of": queue if queue == "q4" and id in PLANTED else None}
            others = self.latest(id, DECISIONS, **on).keys() - {who}
            if who not in self.latest(id, KINDS, **on) and len(others) < overlap:
                found.append(id)
        return found

    def progress(self, queue: str, who: str) -> tuple[int, ...]:
        _, overlap, adjudicates = QUEUES[queue]
        mine, settled = [], 0
        for id in self.order(queue):
            on = {"adjudicates": adjudicates, "control_of": queue if queue == "q4" and id in PLANTED else None}
            mine.append(self.latest(id, KINDS, **on).get(who, ""))
            settled += len(self.latest(id, DECISIONS, **on)) >= overlap
        decided = sum(kind in DECISIONS for kind in mine)
        return len(mine), decided, mine.count("flag"), mine.count("skip"), settled, len(self.open(queue, who)), 0

    def decided(self) -> int:
        events = [(event, line) for line in self.acts for event in line["events"] if not line.get("control")]
        return len({event["example_id"] for event, _ in events if event["kind"] in DECISIONS})

    def recent(self, who: str) -> list[int]:
        return [line["seq"] for line in self.acts if line["reviewer"] == who][::-1][:10]

    def notes(self, id: str) -> list[str]:
        return [
            event["note"]
            for line in self.acts
            for event in line["events"]
            if event["example_id"] == id and event.get("note") and not line.get("control")
        ]

    def pace(self, who: str, queue: str) -> list[int]:
        found = []
        for line in self.acts:
            [event, *more] = line["events"]
            single = not more and event["kind"] != "note" and not line.get("control")
            if line["reviewer"] == who and line["queue"] == queue and single:
                found.append(event["ms_on_screen"])
        return found[-50:]


def check(reviews: Reviews) -> None:
    """Everything that is answered from memory."""
    oracle, queues = Oracle(reviews.workspace.path), Queues(reviews)
    for name in NAMES:
        who = Reviewer(name=name)
        for queue in QUEUES:
            is_open = oracle.open(queue, name)
            assert queues.coming(queue, who, after="nothing") == is_open[:1]
            for id in oracle.order(queue):
                behind = oracle.order(queue).index(id)
                later = [one for one in is_open if oracle.order(queue).index(one) > behind] or is_open
                assert queues.coming(queue, who, after=id) == later[:1]
            found, times = queues.progress(queue, who), oracle.pace(name, queue)
            counts = (found.total, found.decided, found.flagged, found.skipped, found.settled, found.left, found.in_hand)
            assert counts == oracle.progress(queue, name)
            assert found.seconds == (pytest.approx(sum(times) / len(times) / 1000) if times else None)
        assert [action.id for action in reviews.recent(who)] == oracle.recent(name)
    for id in IDS:
        for queue in (None, "q4"):
            control_of = queue if queue and id in PLANTED else None
            for adjudicates in (False, True):
                on = {"adjudicates": adjudicates, "control_of": control_of}
                said = [d for d in reviews.decisions_in(queue, id) if d.adjudicates == adjudicates]
                assert {d.reviewer: d.kind for d in said} == oracle.latest(id, DECISIONS, **on)
                standing = [(n, reviews.standing(id, Reviewer(name=n), adjudicates=adjudicates, queue=queue)) for n in NAMES]
                assert {name: d.kind for name, d in standing if d is not None} == oracle.latest(id, KINDS, **on)
        assert [note.text for note in reviews.notes(id)] == oracle.notes(id)
        # Whole, as the tables have it, evidence and all.
        assert reviews.decisions_in(None, id) == reviews.decisions([id])
    assert reviews.decided_count() == oracle.decided()


STEPS = st.tuples(
    st.sampled_from(["decide"] * 6 + ["undo", "undo", "redo", "note", "bulk", "revoke"]),
    st.sampled_from(NAMES),
    st.sampled_from([None, *QUEUES]),
    st.integers(0, 7),
    st.sampled_from(KINDS),
)


def make_queues(reviews: Reviews) -> None:
    for ids, overlap, adjudicates in QUEUES.values():
        last = len(Queues(reviews).all()) == len(QUEUES) - 1
        Queues(reviews).create(
            Reviewer(name="ann"), f"of {len(ids)}", ids, overlap=overlap, adjudicates=adjudicates,
            plant=(lambda _: PLANTED) if last else None,
        )  # fmt: skip


def step(reviews: Reviews, what: str, name: str, queue: str | None, number: int, kind: str) -> None:
    who, id = Reviewer(name=name, session=name), IDS[number]
    if what == "undo":
        reviews.undo(who)
        Queues(reviews).leave(who)  # of what it puts on screen again
    elif what == "redo":
        reviews.redo(who)
    elif what == "note":
        reviews.add_note(who, id, f"note {number}", queue=queue)
    elif what == "bulk":
        decide_many(reviews, who, IDS[number : number + 3], "remove", origin={"rule": "x"})
    elif what == "revoke" and (latest := reviews.recent(who, 1)):
        reviews.revoke(Reviewer(name="ann"), latest[0].id)
    elif what == "decide":
        shown = reviews.shown(id, queue).label
        label = ("Sport" if shown == "World" else "World") if kind == "relabel" else None
        evidence = Evidence(method="suspicion", score=0.5, ms_on_screen=100 * number, details={"reason": f"because {number}"})
        adjudicates = bool(queue) and QUEUES[str(queue)][2]
        reviews.decide(who, id, kind, new_label=label, queue=queue, adjudicates=adjudicates, evidence=evidence)


# A whole history is easy to read; making it shorter takes minutes.
@settings(max_examples=4, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(steps=st.lists(STEPS, min_size=10, max_size=25))
def test_memory_is_what_the_lines_say_and_a_snapshot_with_a_tail_is_the_log(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, str | None, int, str]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    reviews = reviews_at(make_workspace(folder / "ws", ROWS, labels=("Sport", "World")), Clock())
    make_queues(reviews)
    check(reviews)
    for number, one in enumerate(steps):
        step(reviews, *one)
        if number == len(steps) // 2:
            reviews.log.store.rows("checkpoint")  # the snapshot is of here; what follows is a tail
    check(reviews)
    # As a kill leaves it: the journal whole, the tables behind it.
    shutil.copytree(folder / "ws", folder / "killed")
    reviews.close()
    shutil.copytree(folder / "ws", folder / "journal alone", ignore=shutil.ignore_patterns(f"{DATABASE}*"))
    found = []
    for name in ("ws", "killed", "journal alone"):
        again = reviews_at(make_workspace_at(folder / name))
        assert again.warnings == []
        check(again)
        assert again.log.verify() == []
        found.append(again.audit().drop(columns="at").to_json())
        again.close()
    assert found[0] == found[1] == found[2]


def make_workspace_at(folder: Path) -> Any:
    from influence.workspace.workspace import read_workspace

    return read_workspace(folder)


def test_the_long_front_of_a_queue_is_passed_over_and_comes_back() -> None:
    board = Board("q", [BoardItem(str(n), "", False) for n in range(1_000)], overlap=1, adjudicates=False)
    for place in range(998):
        board.answer(place, "ann", "keep")
        board.decide(place, "ann")
    assert board.next("bob", "", [], after=None) == "998"
    assert board.next("bob", "", [Lease("998", "ann", "", 0)], after=None) == "999"
    board.put(3, {}, [])
    assert board.next("bob", "", [], after=None) == "3"
    assert board.next("bob", "", [], after="3") == "998"
    assert board.next("bob", "", [], after="999") == "3"


def test_who_has_what_on_screen_outlives_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    reviews = reviews_at(make_workspace(tmp_path / "ws", ROWS, labels=("Sport", "World")), clock)
    make_queues(reviews)
    ann, bob = Reviewer(name="ann", session="1"), Reviewer(name="bob", session="2")
    assert Queues(reviews).next("q1", ann) == "m0"
    reviews.close()
    reviews = reviews_at(reviews.workspace, clock)
    assert Queues(reviews).next("q1", bob) == "m1"
    assert Queues(reviews).next("q1", ann) == "m0"
    reviews.close()


def test_the_tables_are_brought_up_to_date_in_parts(tmp_path: Path) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws", ROWS, labels=("Sport", "World")))
    for number in range(MOST_PENDING + 3):
        reviews.add_note(Reviewer(name="ann"), IDS[number % 8], f"{number}")
    assert len(reviews.log._store.rows("from records")) == MOST_PENDING
    assert len(reviews.audit()) == MOST_PENDING + 3
    reviews.close()


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_torn_end_is_cut_off_and_the_rest_is_no_longer_read_line_by_line(tmp_path: Path, cut: int) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws", ROWS, labels=("Sport", "World")))
    for id in IDS:
        reviews.decide(Reviewer(name="ann"), id, "keep")
    reviews.close()
    journal = reviews.workspace.path / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + seal({"type": "undo", "target": 1}, read_journal(journal).records[-1]).line.encode()[:cut])
    log = ReviewLog(reviews.workspace.path)
    assert (log.next_seq, log.warnings) == (9, [])
    log.close()
    assert journal.read_bytes() == whole


def test_a_line_damaged_while_the_app_runs_is_named(tmp_path: Path) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws", ROWS, labels=("Sport", "World")))
    reviews.decide(Reviewer(name="ann"), "m0", "keep", note="football")
    journal = reviews.workspace.path / JOURNAL
    with journal.open("r+b") as file:
        file.seek(journal.read_bytes().index(b"football"))
        file.write(b"baseball")
    with pytest.raises(WorkspaceError, match=r"record 1 has been damaged; restart the app, which mends it"):
        reviews.notes("m0")
    reviews.close()


FLUSHING = """
import sys
from influence import open_workspace
from influence.review import Reviewer, log, open_reviews
log.MOST_PENDING = 3
reviews = open_reviews(open_workspace(sys.argv[1]))
for turn in range(int(sys.argv[2]), 10_000):
    action = reviews.decide(Reviewer(name="ann"), f"m{turn % 8}", "keep" if turn // 8 % 2 else "remove", note=str(turn))
    print(action.id, flush=True)
    if turn % 7 == 0:
        reviews.log.store.rows("checkpoint")
"""


@pytest.mark.slow
def test_kills_while_the_snapshot_is_written_lose_nothing(tmp_path: Path) -> None:
    """The tables are brought up to date every three decisions and written whole every seven; KILLS says how often (5)."""
    workspace, generator, confirmed = make_workspace(tmp_path / "ws", ROWS, labels=("Sport", "World")), random.Random(4), 0
    for _ in range(int(os.environ.get("KILLS", "5"))):
        stop = confirmed + generator.randrange(1, 25)
        with python(FLUSHING, workspace.path, confirmed) as worker:
            for line in worker.stdout or ():
                confirmed = int(line)
                if confirmed >= stop:
                    worker.kill()
        copy = read_reviews(workspace)
        notes = list(copy.audit()["note"])
        assert copy.warnings == []
        assert notes == [str(turn) for turn in range(len(notes))]
        assert confirmed <= len(notes) <= confirmed + 1
        confirmed = len(notes)
        copy.close()


def journals(generator: random.Random, count: int) -> Iterator[str]:
    last = None
    for seq in range(count):
        event = {"kind": "keep", "example_id": IDS[seq % 8], "text_sha256": "x", "old_label": "World", "note": "é" * seq}
        who = {"reviewer": "ann", "auth": "local", "session": "", "app": "1", "build": "b1", "queue": None}
        content = {
            "type": "act",
            **who,
            "origin": None,
            "adjudicates": False,
            "events": [event],
            "at": generator.randrange(10**12),
        }
        last = seal(content, last)
        yield last.line


@pytest.mark.parametrize("count", [9, 10, 11, 99, 101])
def test_a_journal_is_compared_with_the_snapshot_byte_for_byte(tmp_path: Path, count: int) -> None:
    """Numbers of one digit and of two, text beyond ASCII, and a byte that is another in each line in turn."""
    folder = make_workspace(tmp_path / "ws", ROWS, labels=("Sport", "World")).path
    whole = "".join(f"{line}\n" for line in journals(random.Random(count), count)).encode()
    (folder / JOURNAL).write_bytes(whole)
    log = ReviewLog(folder)
    assert (log.next_seq, log.warnings) == (count + 1, [])
    assert [record.seq for record in log.live.read(range(1, count + 1))] == list(range(1, count + 1))
    log.close()
    for at in (0, len(whole) // 2, len(whole) - 3):
        spoilt = bytearray(whole)
        spoilt[at] ^= 1
        (folder / JOURNAL).write_bytes(spoilt)
        log = ReviewLog(folder)
        assert len(log.warnings) == 1
        log.close()
        assert (folder / JOURNAL).read_bytes() == whole


def test_another_verdict_is_another_version_though_as_many_are_decided(tmp_path: Path) -> None:
    reviews = reviews_at(make_workspace(tmp_path / "ws", ROWS, labels=("Sport", "World")))
    ann = Reviewer(name="ann")
    found = []
    for kind in ("keep", "keep", "remove"):
        reviews.decide(ann, "m0", kind)
        found.append((reviews.decided_count(), reviews.version))
    assert found == [(1, 2), (1, 2), (1, 3)]
    reviews.close()
