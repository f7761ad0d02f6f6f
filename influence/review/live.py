"""What stands, kept in memory and brought up to date with each record that is added to the log.

A page that shows a case asks a dozen questions of the log; put to its tables they would take ten times the rest of the page.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from influence.data import EDIT_KINDS
from influence.review import state
from influence.review.events import NOTE, UNDO, Action, Row, as_action, rows_of, statuses
from influence.review.journal import Record
from influence.review.tables import ReviewStore
from influence.standing import KEPT, Board, BoardItem, History, Lately, Lease, Leases

MOST_CASES, MOST_BOARDS = 2_000, 32  # that are kept ready
Read = Callable[[Iterable[int]], list[Record]]


class Live:
    """The answers of one log. To be asked and told under its lock."""

    def __init__(self, store: Callable[[], ReviewStore], read: Read, leases: Sequence[Lease]) -> None:
        self.read, self.leases, self._store = read, Leases(leases), store
        self.history = History(*store().index())
        self._cases: dict[str, list[Row]] = {}
        self._boards: dict[tuple[str, str], Board] = {}
        self._queues: list[tuple[Any, ...]] | None = None
        self._decided: set[str] | None = None
        self._actions: Lately[str, Action] = Lately(
            lambda who: state.actions(store(), reviewer=who, standing=True, limit=KEPT)[::-1]
        )
        self._times: Lately[tuple[str, str | None], int] = Lately(lambda key: state.times(store(), *key))

    def add(self, record: Record) -> None:
        """A record has been added to the log."""
        content = record.content
        if content["type"] == "act":
            self._act(record)
        elif content["type"] == "queue":
            self.forget_queue(content["queue"])
            self._boards = {key: board for key, board in self._boards.items() if board.made_in is None}  # one more may be blind
        else:
            self._turn(content["target"], undone=content["type"] == UNDO)
            self._actions.forget(content["reviewer"])

    def _act(self, record: Record) -> None:
        action, rows = as_action(record), rows_of(record)
        self.history.add(record.seq, dict.fromkeys(action.example_ids))
        for id in action.example_ids:
            self._cases.pop(id, None)
        self._actions.add(action.reviewer, action)
        if not record.content.get("control"):
            self._time(action, record.content["events"][0].get("ms_on_screen"))
        for row in rows:
            if self._decided is not None and row.kind in EDIT_KINDS and not row.control_of:
                self._decided.add(row.example_id)
            for board in self._boards.values():
                if row.kind in statuses() and (place := _place(board, row)) is not None:
                    board.answer(place, row.reviewer, row.kind)
                    if row.kind in EDIT_KINDS:
                        board.decide(place, row.reviewer)

    def _turn(self, target: int, *, undone: bool) -> None:
        self.history.turn(target, undone=undone)
        [record] = self.read([target])
        action = as_action(record)
        self._actions.forget(action.reviewer)
        self._forget_times(action.reviewer)
        for id in dict.fromkeys(action.example_ids):
            self._cases.pop(id, None)
            rows = self.rows(id)
            if self._decided is not None:
                decided = any(row.kind in EDIT_KINDS and not row.control_of for row in rows)
                (self._decided.add if decided else self._decided.discard)(id)
            for board in self._boards.values():
                if (place := board.place_of.get(id)) is not None:
                    here = [row for row in rows if row.kind in statuses() and _place(board, row) is not None]
                    answers = {row.reviewer: row.kind for row in here}
                    board.put(place, answers, {row.reviewer for row in here if row.kind in EDIT_KINDS})

    def _time(self, action: Action, ms: int | None) -> None:
        if len(action.example_ids) > 1 or action.origin or action.kind == NOTE:
            return
        if ms is None:  # by the clock, then, which the tables know
            self._forget_times(action.reviewer)
        elif ms <= state.IDLE_MS:
            for queue in dict.fromkeys((None, action.queue)):
                self._times.add((action.reviewer, queue), ms)

    def _forget_times(self, reviewer: str) -> None:
        for key in self._times.known():
            if key[0] == reviewer:
                self._times.forget(key)

    def rows(self, example_id: str) -> list[Row]:
        """Everything about an example that stands, oldest first."""
        if example_id not in self._cases:
            if len(self._cases) >= MOST_CASES:
                self._cases.clear()
            records = self.read(self.history.of(example_id))
            self._cases[example_id] = [row for record in records for row in rows_of(record) if row.example_id == example_id]
        return self._cases[example_id]

    def latest(
        self, example_id: str, kinds: Iterable[str], control_of: str | None, made_in: Collection[str] | None = None
    ) -> list[Row]:
        """The latest event of these kinds by each reviewer on an example, or on a queue's planted control, oldest first.

        With `made_in`, of those made in these queues.
        """
        found = {
            (row.reviewer, row.adjudicates): row
            for row in self.rows(example_id)
            if row.kind in kinds and row.control_of == control_of and (made_in is None or row.queue in made_in)
        }
        return sorted(found.values(), key=lambda row: (row.seq, row.item))

    def decided(self) -> set[str]:
        """The examples that anybody has decided."""
        if self._decided is None:
            self._decided = state.decided(self._store())
        return self._decided

    def recent(self, reviewer: str, limit: int) -> list[Action]:
        """A reviewer's latest actions that stand, the last one first."""
        if limit > KEPT:
            return state.actions(self._store(), reviewer=reviewer, standing=True, limit=limit)
        return list(self._actions.of(reviewer))[::-1][:limit]

    def pace(self, reviewer: str, queue: str | None) -> tuple[float | None, int]:
        """Mean seconds an example over the reviewer's last single decisions, flags and skips, and how many those are."""
        times = self._times.of((reviewer, queue))
        return (sum(times) / len(times) / 1000 if times else None), len(times)

    def queues(self) -> list[tuple[Any, ...]]:
        """Every queue with its latest settings, in the order of making."""
        if self._queues is None:
            self._queues = state.queue_rows(self._store())
        return self._queues

    def board(self, queue: str, build: str, make: Callable[[], Board]) -> Board:
        """A queue's board as seen from a build; made where it is not known."""
        key = (queue, build)
        if key not in self._boards:
            while len(self._boards) >= MOST_BOARDS:
                del self._boards[next(iter(self._boards))]
            self._boards[key] = make()
        return self._boards[key]

    def forget_queue(self, queue: str) -> None:
        """A queue has been made, changed or put in another order."""
        self._queues = None
        for key in [key for key in self._boards if key[0] == queue]:
            del self._boards[key]


def fill_board(store: ReviewStore, board: Board) -> Board:
    """Put what stands on every item of a new board."""
    controls = any(item.is_control for item in board.items)
    answers, decisions = state.answers_on(
        store, board.queue, adjudicates=board.adjudicates, controls=controls, made_in=board.made_in
    )
    for answer in answers:
        if (place := board.place(BoardItem(*answer[:3]))) is not None:
            board.answer(place, answer.reviewer, answer.kind)
    for answer in decisions:
        if (place := board.place(BoardItem(*answer[:3]))) is not None:
            board.decide(place, answer.reviewer)
    return board


def _place(board: Board, row: Row) -> int | None:
    """The place of the item that an event is about; None where the board has none."""
    if row.adjudicates != board.adjudicates or row.control_of not in (None, board.queue):
        return None
    if board.made_in is not None and row.queue not in board.made_in:
        return None
    return board.place(BoardItem(row.example_id, row.text_sha256, row.control_of is not None))
