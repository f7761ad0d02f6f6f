"""The tables of `results.duckdb`, and its SQL.

`results.duckdb` is written once by a build and opened read-only ever after. Examples are named by their position in
their split everywhere but in `examples`, which holds the user's ids.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import pandas as pd

from influence.workspace.database import Database
from influence.workspace.shape_tables import Migration


def in_id_order(id: str, among: str, numbers: bool | None = None) -> str:
    """SQL for `order by`: ids of examples as `id_ranks` orders them, by number where all are numbers, else as text.

    `id` is the column, `among` what follows `from` where all the ids are; `numbers`, whether all are, where that is known.
    """
    asked = are_numbers(id.rpartition(".")[2], among) if numbers is None else str(numbers).lower()
    return f"case when {asked} then lpad({id}, 40, '0') else '' end, {id}"


def are_numbers(id: str, among: str) -> str:
    """SQL that asks whether all the ids in a column are numbers."""
    return f"(select bool_and(regexp_full_match({id}, '[0-9]+')) from {among})"


TESTS = "examples where split = 'test'"
TEST_IDS = in_id_order("e.id", TESTS)
KEPT_EXAMPLES = 2_000  # in memory


def m001_initial(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("""
        create table checkpoints (checkpoint integer, name varchar, learning_rate double, train_loss double,
            train_accuracy double, test_loss double, test_accuracy double);
        create table examples (split varchar, position integer, id varchar, text varchar, text_pair varchar,
            label varchar, text_sha256 varchar, truncated boolean);
        create table words (split varchar, position integer, word integer, side tinyint, start_at integer,
            end_at integer, special varchar);
        create table predictions (split varchar, position integer, checkpoint integer, predicted varchar,
            confidence float, loss float, probabilities float[]);
        create table self_influence (split varchar, position integer, method varchar, score double);
        create table influences (test integer, train integer, method varchar, rank integer, score double,
            special_score double, checkpoint_scores double[]);
        create table contributions (test integer, train integer, test_word integer, train_word integer, score double);
    """)
    # For people with a SQL prompt: which words, by name, made the score of a pair.
    cursor.execute("""
        create view word_contributions as
        select tests.id as test_id, trains.id as train_id, sum(c.score) as score,
            coalesce(w.special, substr(case w.side when 1 then tests.text_pair else tests.text end,
                w.start_at + 1, w.end_at - w.start_at)) as word
        from contributions c
        join examples tests on tests.split = 'test' and tests.position = c.test
        join examples trains on trains.split = 'train' and trains.position = c.train
        join words w on w.split = 'test' and w.position = c.test and w.word = c.test_word
        group by all
    """)


def m002_epochs(cursor: duckdb.DuckDBPyConnection) -> None:
    """`checkpoints` and `predictions` have all checkpoints of the run; `indexed` is which of those in scores each is, if any."""
    cursor.execute("alter table checkpoints add column indexed integer")


def m003_float_scores(cursor: duckdb.DuckDBPyConnection) -> None:
    """Scores of pairs in single precision: seven digits are more than they are right to, and take half the room."""
    for table, column, type in (
        ("influences", "score", "float"),
        ("influences", "special_score", "float"),
        ("influences", "checkpoint_scores", "float[]"),
        ("contributions", "score", "float"),
    ):
        cursor.execute(f"alter table {table} alter {column} type {type}")


MIGRATIONS: list[Migration] = [m001_initial, m002_epochs, m003_float_scores]


class StoredExample(NamedTuple):
    """One example as the build left it; words are (side, start, end, special token or None)."""

    id: str
    text: str
    text_pair: str | None
    label: str
    truncated: bool
    predicted: str
    probabilities: list[float]
    words: list[tuple[int, int, int, str | None]]


class ResultStore(Database):
    """The results file of a build: written once, opened read-only ever after."""

    migrations = MIGRATIONS
    kind = "results file"
    remedy = "build the workspace again"

    def __init__(self, path: Path, *, read_only: bool = True) -> None:
        super().__init__(path, read_only=read_only)
        self._examples: dict[tuple[str, int], StoredExample] = {}  # those that were asked for last: the same come up again
        self._place: tuple[tuple[str, str], int] = ("", ""), 0  # of the example that was asked for last, alone

    @cached_property
    def _tests_in_order(self) -> str:
        """`TEST_IDS` of this file, its question whether all ids are numbers answered once."""
        [(numbers,)] = self.rows(f"select {are_numbers('id', TESTS)}")
        return in_id_order("e.id", TESTS, bool(numbers))

    def confusion(self) -> pd.DataFrame:
        """Test counts by label and prediction at the last checkpoint."""
        return self.frame("""
            select e.label, p.predicted, count(*) as examples
            from examples e join predictions p using (split, position)
            where split = 'test' and checkpoint = (select max(checkpoint) from checkpoints)
            group by all order by all
        """)

    def search_tests(self, conditions: Mapping[str, Any], limit: int, offset: int) -> tuple[int, pd.DataFrame]:
        """Test examples under conditions (see `workspace.TestFilter`): how many, and one page, wrong ones first."""
        matching = """
            from examples e join predictions p using (split, position)
            where split = 'test' and checkpoint = (select max(checkpoint) from checkpoints)
            and ($wrong is null or (e.label <> p.predicted) = $wrong)
            and ($label is null or e.label = $label) and ($predicted is null or p.predicted = $predicted)
            and p.confidence between $min_confidence and $max_confidence
            and ($text = '' or contains(lower(e.text), lower($text))
                or contains(lower(coalesce(e.text_pair, '')), lower($text)) or e.id = $text)
        """
        total = self.rows(f"select count(*) {matching}", dict(conditions))[0][0]
        page = self.frame(
            f"""select e.id, e.text, e.text_pair, e.label, p.predicted, p.confidence, e.label <> p.predicted as wrong
            {matching} order by wrong desc, p.confidence desc, {TEST_IDS} limit $limit offset $offset""",
            {**conditions, "limit": limit, "offset": offset},
        )
        return total, page

    def positions(self, split: str, ids: Sequence[str]) -> dict[str, int]:
        """Positions of the examples with these ids; unknown ids are left out."""
        asked, place = self._place
        if len(ids) == 1 and (split, ids[0]) == asked:
            return {ids[0]: place}
        found = dict(self.rows("select id, position from examples where split = ? and list_contains(?, id)", [split, list(ids)]))
        if len(found) == 1:
            [(id, position)] = found.items()
            self._place = ((split, id), position)
        return found

    def first_id(self, split: str) -> str:
        """The id of a split's first example."""
        return str(self.rows("select min_by(id, position) from examples where split = ?", [split])[0][0])

    def last_id(self, split: str) -> str:
        """The id of a split's last example."""
        return str(self.rows("select max_by(id, position) from examples where split = ?", [split])[0][0])

    def examples(self, split: str, positions: Iterable[int]) -> dict[int, StoredExample]:
        """Examples with their prediction at the last checkpoint and their words, by position; the file never changes."""
        wanted = dict.fromkeys(int(position) for position in positions)
        kept = self._examples
        if missing := [position for position in wanted if (split, position) not in kept]:
            if len(kept) + len(missing) > KEPT_EXAMPLES:
                kept = self._examples = {}
                missing = list(wanted)
            kept.update({(split, position): one for position, one in self._read_examples(split, missing).items()})
        return {position: kept[split, position] for position in wanted if (split, position) in kept}

    def _read_examples(self, split: str, wanted: list[int]) -> dict[int, StoredExample]:
        rows = self.rows(
            """select e.position, id, text, text_pair, label, truncated, predicted, probabilities
            from examples e join predictions p using (split, position)
            where split = ? and list_contains(?, e.position) and checkpoint = (select max(checkpoint) from checkpoints)""",
            [split, wanted],
        )
        words = self.rows(
            """select position, side, start_at, end_at, special from words
            where split = ? and list_contains(?, position) order by position, word""",
            [split, wanted],
        )
        found = {row[0]: StoredExample._make((*row[1:], [])) for row in rows}
        for position, *word in words:
            found[position].words.append(tuple(word))
        return found

    def train_frame(self) -> pd.DataFrame:
        """Every training example in the data's order, with its prediction at the last checkpoint."""
        return self.frame("""
            select id, text, text_pair, e.label, text_sha256, predicted, confidence
            from examples e join predictions p using (split, position)
            where split = 'train' and checkpoint = (select max(checkpoint) from checkpoints) order by position
        """)

    def split_columns(self, split: str) -> dict[str, list[str]]:
        """Every example of a split in the data's order, as columns: id, text, text_pair where there are pairs, and label."""
        found = self.frame("select id, text, text_pair, label from examples where split = ? order by position", [split])
        names = ["id", "text", *(["text_pair"] if found["text_pair"].notna().any() else []), "label"]
        return {name: found[name].tolist() for name in names}

    def texts(self, split: str) -> list[tuple[str, str | None]]:
        """The text and second text (None: there is none) of every example of a split, in the data's order."""
        rows = self.rows("select text, text_pair from examples where split = ? order by position", [split])
        return [(text, pair) for text, pair in rows]

    def joined_texts(self, split: str, position: int | None = None) -> list[str]:
        """The texts of a split in the data's order, both of a pair with a line break between; or one example's alone."""
        found = self.rows(
            """select concat_ws(chr(10), text, text_pair) from examples
            where split = $split and ($position is null or position = $position) order by position""",
            {"split": split, "position": position},
        )
        return [text for (text,) in found]

    def texts_known(self, split: str, hashes: Sequence[str]) -> set[str]:
        """Which of some texts, by their `text_sha256`, a split has."""
        rows = self.rows(
            "select distinct text_sha256 from examples where split = ? and text_sha256 in (select unnest(?::varchar[]))",
            [split, list(hashes)],
        )
        return {hash for (hash,) in rows}

    def influences(self, test: int, method: str, top: int) -> list[tuple[Any, ...]]:
        """Stored (train, score, special_score, checkpoint_scores) of a test example: `top` from either end."""
        return self.rows(
            """select train, score, special_score, checkpoint_scores from influences
            where test = ? and method = ? and abs(rank) <= ? order by rank > 0 desc, abs(rank)""",
            [test, method, top],
        )

    def contributions(self, test: int, trains: Iterable[int]) -> list[tuple[Any, ...]]:
        """Stored (train, test_word, train_word, score) of a test example and some training examples."""
        return self.rows(
            """select train, test_word, train_word, score from contributions
            where test = ? and list_contains(?, train) order by train, test_word, train_word""",
            [test, [int(train) for train in trains]],
        )

    def effects(self, train: int, method: str, top: int) -> list[tuple[Any, ...]]:
        """Stored (test, score, special_score, checkpoint_scores) of a training example: `top` tests from either end.

        Only tests among whose strongest it is have it stored.
        """
        order = self._tests_in_order
        return self.rows(
            f"""select test, score, special_score, checkpoint_scores
            from influences join examples e on e.split = 'test' and e.position = test where train = ? and method = ?
            qualify row_number() over (partition by score > 0 order by abs(score) desc, {order}) <= ?
            order by score > 0 desc, abs(score) desc, {order}""",
            [train, method, top],
        )

    def effect_contributions(self, train: int, tests: Iterable[int]) -> list[tuple[Any, ...]]:
        """Stored (test, test_word, train_word, score) of a training example and some test examples."""
        return self.rows(
            """select test, test_word, train_word, score from contributions
            where train = ? and list_contains(?, test) order by test, test_word, train_word""",
            [train, [int(test) for test in tests]],
        )
