"""The tables of `words.duckdb`, its SQL, and what it takes from `results.duckdb`.

A pair is a wrong test prediction with a training example and a word of that example: its score is the sum of the stored
contributions of the word, wherever it stands in the example. Against is what lies below 0, support what lies above.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import duckdb
import pandas as pd

from influence.workspace import DerivedStore, Migration, ResultStore, in_id_order

MISTAKES = """
    select e.position as test, e.id as test_id, e.label, p.predicted
    from examples e join predictions p using (split, position)
    where split = 'test' and checkpoint = (select max(checkpoint) from checkpoints) and e.label <> p.predicted
"""
ASKED = "($label is null or m.label = $label) and ($predicted is null or m.predicted = $predicted)"
SUMS = """sum(p.score) as score, sum(least(p.score, 0)) as against, sum(greatest(p.score, 0)) as support,
    count(distinct case when p.score < 0 then p.test end) as mistakes"""


def m001_initial(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("""
        create table provenance (name varchar, value json);
        create table mistakes (test integer, test_id varchar, label varchar, predicted varchar);
        create table words (word integer, folded varchar, written varchar, kind varchar);
        create table examples (train integer, train_id varchar, label varchar);
        create table pairs (word integer, train integer, test integer, score double);
    """)


class WordStore(DerivedStore):
    """What every word carries in the wrong test predictions of one build."""

    migrations: ClassVar[Sequence[Migration]] = (m001_initial,)
    kind = "words file"
    remedy = "delete it and run: python -m influence words"

    def confusions(self) -> pd.DataFrame:
        """Columns label, predicted, mistakes: the wrong test predictions, the most frequent confusion first."""
        return self.frame("select label, predicted, count(*) as mistakes from mistakes group by all order by 3 desc, 1, 2")

    def words(self, asked: Mapping[str, Any]) -> pd.DataFrame:
        """Every word that pulls against one of the mistakes asked for, the most negative sum first."""
        return self.frame(
            f"""select any_value(w.folded) as word, any_value(w.written) as written, any_value(w.kind) as kind, {SUMS},
                count(distinct case when p.score < 0 then p.train end) as examples
            from pairs p join mistakes m using (test) join words w using (word) where {ASKED}
            group by w.word having against < 0 order by against, 1, 3""",
            asked,
        )

    def examples(self, folded: str, asked: Mapping[str, Any]) -> pd.DataFrame:
        """Training examples that pull against the mistakes asked for through a word, the most negative sum first."""
        return self.frame(
            f"""select e.train as position, e.train_id, e.label, {SUMS}
            from pairs p join mistakes m using (test) join words w using (word) join examples e using (train)
            where w.folded = $word and w.kind <> 'token' and {ASKED}
            group by e.train, e.train_id, e.label having against < 0 order by against, {in_id_order("e.train_id", "examples")}""",
            {"word": folded, **asked},
        )

    def driven(self, folded: str, trains: Sequence[int], asked: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """(training example, test id, label, predicted, score) of the mistakes that examples pull against through a word."""
        return self.rows(
            f"""select p.train, m.test_id, m.label, m.predicted, p.score
            from pairs p join mistakes m using (test) join words w using (word)
            where w.folded = $word and w.kind <> 'token' and p.score < 0 and list_contains($trains, p.train) and {ASKED}
            order by p.train, p.score, {in_id_order("m.test_id", "mistakes")}""",
            {"word": folded, "trains": [int(train) for train in trains], **asked},
        )

    def pulled_against(self, folded: str, asked: Mapping[str, Any]) -> pd.DataFrame:
        """Columns label, predicted, mistakes: the mistakes that a word pulls against, the most frequent confusion first."""
        return self.frame(
            f"""select m.label, m.predicted, count(distinct m.test) as mistakes
            from pairs p join mistakes m using (test) join words w using (word)
            where w.folded = $word and w.kind <> 'token' and p.score < 0 and {ASKED}
            group by all order by 3 desc, 1, 2""",
            {"word": folded, **asked},
        )


def mistakes(results: ResultStore) -> pd.DataFrame:
    """Columns test (position), test_id, label, predicted: every wrong test prediction."""
    return results.frame(f"{MISTAKES} order by test")


def contributions(results: ResultStore) -> pd.DataFrame:
    """Columns test, train, written, special, score: what each spelling of a word carries, of every stored pair."""
    return results.frame(f"""
        with wrong as ({MISTAKES}),
        parts as (select c.test, c.train, c.train_word, c.score from contributions c join wrong using (test)),
        named as (
            select w.position as train, w.word as train_word, w.special is not null as special,
                coalesce(w.special, substr(case w.side when 1 then e.text_pair else e.text end, w.start_at + 1,
                    w.end_at - w.start_at)) as written
            from (select distinct train, train_word from parts) used
            join words w on w.split = 'train' and w.position = used.train and w.word = used.train_word
            join examples e on e.split = 'train' and e.position = used.train
        )
        select test, train, written, special, sum(score) as score from parts join named using (train, train_word) group by all
    """)


def train_examples(results: ResultStore) -> pd.DataFrame:
    """Columns train (position), train_id, label: every training example."""
    return results.frame("select position as train, id as train_id, label from examples where split = 'train' order by position")
