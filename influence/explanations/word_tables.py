"""The tables of `words.duckdb`, its SQL, and what it takes from `results.duckdb`.

A pair is a wrong test prediction with a training example and a word of that example: its score is the sum of the stored
contributions of the word, wherever it stands in the example. Against is what lies below 0, support what lies above. A mistake
counts for a word that carries at least `LEAST_PULL` of all that lies below 0 there.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import duckdb
import pandas as pd

from influence.program import PROGRAM
from influence.workspace import LEAST_PULL, DerivedStore, Migration, ResultStore, in_id_order

MISTAKES = """
    select e.position as test, e.id as test_id, e.label, p.predicted
    from examples e join predictions p using (split, position)
    where split = 'test' and checkpoint = (select max(checkpoint) from checkpoints) and e.label <> p.predicted
"""
ASKED = "($label is null or m.label = $label) and ($predicted is null or m.predicted = $predicted)"
IS_WORD = "w.kind in ('word', 'common')"
SUMS = "sum(p.score) as score, sum(least(p.score, 0)) as against, sum(greatest(p.score, 0)) as support"
# Whether a word carries enough of everything that pulls against one mistake.
COUNTS = f"min(p.score) < 0 and sum(least(p.score, 0)) <= {LEAST_PULL} * any_value(m.of_all) as counts"


def m001_initial(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("""
        create table provenance (name varchar, value json);
        create table mistakes (test integer, test_id varchar, label varchar, predicted varchar);
        create table words (word integer, folded varchar, written varchar, kind varchar);
        create table examples (train integer, train_id varchar, label varchar);
        create table pairs (word integer, train integer, test integer, score double);
    """)


def m002_what_pulls_against_a_mistake(cursor: duckdb.DuckDBPyConnection) -> None:
    # The file is always written new; one of version 1 is of an older formula, and nobody reads it.
    cursor.execute("alter table mistakes add column of_all double")


class WordStore(DerivedStore):
    """What every word carries in the wrong test predictions of one build."""

    migrations: ClassVar[Sequence[Migration]] = (m001_initial, m002_what_pulls_against_a_mistake)
    kind = "words file"
    remedy = f"delete it and run: {PROGRAM} words"

    def confusions(self) -> pd.DataFrame:
        """Columns label, predicted, mistakes: the wrong test predictions, the most frequent confusion first."""
        return self.frame("select label, predicted, count(*) as mistakes from mistakes group by all order by 3 desc, 1, 2")

    def words(self, asked: Mapping[str, Any]) -> pd.DataFrame:
        """Every word that pulls against one of the mistakes asked for, the most negative sum first."""
        return self.frame(
            f"""with by_test as (select p.word, {SUMS}, {COUNTS}
                    from pairs p join mistakes m using (test) where {ASKED} group by p.word, p.test),
                through as (select p.word, count(distinct p.train) as examples
                    from pairs p join mistakes m using (test) where p.score < 0 and {ASKED} group by p.word)
            select any_value(w.folded) as word, any_value(w.written) as written, any_value(w.kind) as kind,
                sum(b.score) as score, sum(b.against) as against, sum(b.support) as support,
                count(*) filter (b.counts) as mistakes, any_value(t.examples) as examples
            from by_test b join words w using (word) join through t using (word)
            group by word having sum(b.against) < 0 order by 5, 1, 3""",
            asked,
        )

    def examples(self, folded: str, asked: Mapping[str, Any]) -> pd.DataFrame:
        """Training examples that pull against the mistakes asked for through a word, the most negative sum first."""
        return self.frame(
            f"""select e.train as position, e.train_id, e.label, {SUMS}, count(*) filter (p.score < 0) as mistakes
            from pairs p join mistakes m using (test) join words w using (word) join examples e using (train)
            where w.folded = $word and {IS_WORD} and {ASKED}
            group by e.train, e.train_id, e.label having against < 0 order by against, {in_id_order("e.train_id", "examples")}""",
            {"word": folded, **asked},
        )

    def driven(self, folded: str, trains: Sequence[int], asked: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """(training example, test id, label, predicted, score) of the mistakes that examples pull against through a word."""
        return self.rows(
            f"""select p.train, m.test_id, m.label, m.predicted, p.score
            from pairs p join mistakes m using (test) join words w using (word)
            where w.folded = $word and {IS_WORD} and p.score < 0 and list_contains($trains, p.train) and {ASKED}
            order by p.train, p.score, {in_id_order("m.test_id", "mistakes")}""",
            {"word": folded, "trains": [int(train) for train in trains], **asked},
        )

    def pulled_against(self, folded: str, asked: Mapping[str, Any]) -> pd.DataFrame:
        """Columns label, predicted, mistakes: the mistakes that a word pulls against, the most frequent confusion first."""
        return self.frame(
            f"""with by_test as (select m.label, m.predicted, {COUNTS}
                from pairs p join mistakes m using (test) join words w using (word)
                where w.folded = $word and {IS_WORD} and {ASKED} group by m.test, m.label, m.predicted)
            select label, predicted, count(*) as mistakes from by_test where counts group by all order by 3 desc, 1, 2""",
            {"word": folded, **asked},
        )


def mistakes(results: ResultStore) -> pd.DataFrame:
    """Columns test (position), test_id, label, predicted: every wrong test prediction."""
    return results.frame(f"{MISTAKES} order by test")


def contributions(results: ResultStore) -> pd.DataFrame:
    """Columns test, train, test_word, train_word, score: what every pair of words carries, of every stored pair of examples."""
    return results.frame(f"""
        with wrong as ({MISTAKES})
        select c.test, c.train, c.test_word, c.train_word, c.score from contributions c join wrong using (test)
    """)


def spellings(results: ResultStore, split: str, positions: Sequence[int]) -> list[tuple[Any, ...]]:
    """(position, text, text_pair, [(word, side, start, end, special or None), ...]) of some examples of a split."""
    return results.rows(
        """select e.position, e.text, e.text_pair, list((w.word, w.side, w.start_at, w.end_at, w.special) order by w.word)
        from examples e join words w using (split, position)
        where split = ? and e.position in (select unnest(?::integer[])) group by all""",
        [split, [int(position) for position in positions]],
    )


def train_examples(results: ResultStore) -> pd.DataFrame:
    """Columns train (position), train_id, label: every training example."""
    return results.frame("select position as train, id as train_id, label from examples where split = 'train' order by position")
