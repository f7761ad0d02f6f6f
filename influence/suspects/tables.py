"""The tables of `suspects.duckdb`, its SQL, and what it takes from `results.duckdb`.

The file is computed from a finished build, written beside its place and moved there whole, then only read. It repeats
the texts, so that suspects can be searched by themselves.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import duckdb
import pandas as pd

from influence.attribution import DEFAULT_METHOD
from influence.data import is_function_word, whole_span
from influence.errors import QueryError
from influence.program import PROGRAM
from influence.suspects.reasons import Saying, with_reason, with_reasons
from influence.types import FloatArray
from influence.workspace import LEAST_PULL, DerivedStore, Migration, ResultStore

SIGNALS = (
    "suspicion",
    "confidence",
    "contradicted_share",
    "self_influence",
    "misclassified_share",
    "margin",
    "held_out_confidence",
    "opposition",
    "opposed_tests",
    "driven_errors",
    "neighbour_disagreement",
)
# Every suspect with the wrong test predictions that it pushes, and its share of their pull. That it is among the stored
# opponents of others, which is all that the file says, is no push: see LEAST_PULL.
SUSPECTS = f"""(
    with pulls as (select position, test_id, score, sum(score) over (partition by test_id) as of_all from driven_errors),
    pushed as (select position, count(*) as errors, sum(score) / sum(of_all) as pull
        from pulls where score <= {LEAST_PULL} * of_all group by position)
    select s.* replace (coalesce(pushed.errors, 0) as driven_errors), coalesce(pushed.pull, 0.0) as error_pull
    from suspects s left join pushed using (position))"""
MATCHING = f"""
    from {SUSPECTS} where ($label is null or label = $label)
    and ($suggested_label is null or suggested_label = $suggested_label)
    and ($predicted is null or predicted = $predicted)
    and ($changed is null or (suggested_label <> label) = $changed)
    and ($text = '' or contains(lower(text), lower($text))
        or contains(lower(coalesce(text_pair, '')), lower($text)) or train_id = $text)
    and ($among::varchar[] is null or train_id in (select unnest($among::varchar[])))
    and ($without::varchar[] is null or train_id not in (select unnest($without::varchar[])))
"""


def m001_initial(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("""
        create table provenance (name varchar, value json);
        create table suspects (position integer, rank integer, train_id varchar, text varchar, text_pair varchar,
            label varchar, predicted varchar, suggested_label varchar, suspicion double, reason varchar,
            self_influence double, misclassified_share double, held_out_confidence double, opposition double,
            opposed_tests integer, driven_errors integer, neighbour_disagreement double);
        create table driven_errors (position integer, test_id varchar, label varchar, predicted varchar, text varchar,
            text_pair varchar, score double, rank integer, word varchar);
    """)


def m002_facts_for_sentences(cursor: duckdb.DuckDBPyConnection) -> None:
    # The file is always written new, so nothing is lost: a file of version 1 stays as it is, and is read so.
    cursor.execute("alter table suspects drop column reason")
    columns = "held_out integer, votes integer, trained integer, missed integer, opposed_word varchar"
    for column in f"{columns}, neighbours integer, neighbours_against integer".split(", "):
        cursor.execute(f"alter table suspects add column {column}")


def m003_opinions(cursor: duckdb.DuckDBPyConnection) -> None:
    # A file of version 2 stays as it is and is read so: what it lacks is missing there.
    cursor.execute("alter table suspects drop column held_out")
    for column in ("confidence double", "contradicted_share double", "margin double", "opinions integer"):
        cursor.execute(f"alter table suspects add column {column}")


def m004_said(cursor: duckdb.DuckDBPyConnection) -> None:
    # A file of version 3 stays as it is and is read so: nobody's opinion came in a file then.
    cursor.execute("create table said (position integer, name varchar, label varchar, probability double)")


class SuspectStore(DerivedStore):
    """The suspects of one build, and the wrong test predictions that each drives."""

    migrations: ClassVar[Sequence[Migration]] = (m001_initial, m002_facts_for_sentences, m003_opinions, m004_said)
    kind = "suspects file"
    remedy = f"delete it and run: {PROGRAM} suspects"

    def _frame(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any]) -> pd.DataFrame:
        found = self.frame(sql, parameters)
        return with_reasons(found, self.said(found["train_id"].tolist()))

    @cached_property
    def _has_said(self) -> bool:
        tables = self.rows("select 1 from information_schema.tables where table_name = 'said'")
        return bool(tables and self.rows("select 1 from said limit 1"))

    def said(self, train_ids: Sequence[str]) -> dict[str, list[Saying]]:
        """What names of files say of some examples, by name; an example of which nobody speaks is not among them."""
        if not self._has_said:
            return {}
        found: dict[str, list[Saying]] = {}
        rows = self.rows(
            """select train_id, name, d.label, d.probability from said d join suspects using (position)
            where train_id in (select unnest(?::varchar[])) order by train_id, name""",
            [list(train_ids)],
        )
        for id, name, label, probability in rows:
            found.setdefault(id, []).append(Saying(name, label, probability))
        return found

    def search(self, conditions: Mapping[str, Any], order: str, limit: int, offset: int) -> tuple[int, pd.DataFrame]:
        """Suspects under conditions (see `suspects.SuspectFilter`): how many, and one page of them."""
        ordered = _ordered(order)
        total = self.rows(f"select count(*) {MATCHING}", conditions)[0][0]
        return total, self._frame(
            f"select * exclude position {MATCHING} {ordered} limit $limit offset $offset",
            {**conditions, "limit": limit, "offset": offset},
        )

    def ids(self, conditions: Mapping[str, Any], order: str) -> list[str]:
        """The ids of all suspects under the same conditions."""
        return [id for (id,) in self.rows(f"select train_id {MATCHING} {_ordered(order)}", conditions)]

    def suspect(self, train_id: str) -> dict[str, Any] | None:
        """The row of one example, by column; None for an unknown id."""
        found = self.rows(f"select * from {SUSPECTS} where train_id = ?", [train_id])
        if not found:
            return None
        row = dict(zip(self._columns, found[0], strict=True))
        return with_reason(row, self.said([train_id]).get(train_id, ()))

    @cached_property
    def _columns(self) -> list[str]:
        return [str(name) for name, *_ in self.rows(f"describe from {SUSPECTS}")]

    def rank_scores(self) -> pd.DataFrame:
        """train_id, rank and suspicion of every example, the most suspicious first."""
        return self.frame("select train_id, rank, suspicion from suspects order by rank")

    def driven_errors(self, position: int) -> pd.DataFrame:
        """Wrong test predictions among whose strongest opponents an example is, the largest share of the pull first."""
        return self.frame(
            """with totals as (select test_id, sum(score) as of_all from driven_errors group by test_id)
            select test_id, label, predicted, text, text_pair, score, rank, word,
                coalesce(score / nullif(of_all, 0), 0.0) as share
            from driven_errors join totals using (test_id) where position = ? order by share desc, score, test_id""",
            [position],
        )

    def behind(self, test_id: str, changed: bool | None, limit: int) -> pd.DataFrame:
        """Suspects among the strongest opponents of a wrong test prediction, the most negative score first."""
        return self._frame(
            f"""with of_test as (select *, coalesce(score / nullif(sum(score) over (), 0), 0.0) as share
                from driven_errors where test_id = $test_id)
            select s.* exclude position, d.score, d.rank as opponent_rank, d.word, d.share
            from of_test d join {SUSPECTS} s using (position)
            where ($changed is null or (s.suggested_label <> s.label) = $changed)
            order by d.score, s.rank limit $limit""",
            {"test_id": test_id, "changed": changed, "limit": limit},
        )

    def difficult(self, share: float, cap: int, among: Sequence[int] | None) -> tuple[pd.DataFrame, int]:
        """The most suspicious `cap` of the examples contradicted to that share, or of those given; how many those are."""
        difficult = """from suspects where case when $among::integer[] is null then contradicted_share >= $share
            else position in (select unnest($among::integer[])) end"""
        chosen = {"share": share, "among": None if among is None else list(among)}
        total = self.rows(f"select count(*) {difficult}", chosen)[0][0]
        return self.frame(
            f"""select position, train_id, text, text_pair, label, predicted, suggested_label, suspicion, 1 - confidence as doubt
            {difficult} order by rank limit $cap""",
            {**chosen, "cap": cap},
        ), total

    def driven_by(self, positions: Sequence[int]) -> pd.DataFrame:
        """What each of some examples pulls against wrong test predictions: columns position, test_id, share (of the pull)."""
        return self.frame(
            """with totals as (select test_id, sum(score) as of_all from driven_errors group by test_id)
            select position, test_id, coalesce(score / nullif(of_all, 0), 0.0) as share
            from driven_errors join totals using (test_id)
            where position in (select unnest(?::integer[])) order by position, test_id""",
            [list(positions)],
        )


def _ordered(order: str) -> str:
    signal, direction = order.removeprefix("-"), "desc" if order.startswith("-") else "asc"
    if signal not in SIGNALS:
        raise QueryError(f"unknown signal {signal!r}; choose one of {', '.join(SIGNALS)}")
    return f"order by {signal} {direction} nulls last, rank"


def training_examples(results: ResultStore) -> pd.DataFrame:
    """position, train_id, text, text_pair, label and the last checkpoint's prediction of every training example."""
    return results.frame("""
        select e.position, e.id as train_id, e.text, e.text_pair, e.label, p.predicted
        from examples e join predictions p using (split, position)
        where split = 'train' and checkpoint = (select max(checkpoint) from checkpoints) order by e.position
    """)


def self_influences(results: ResultStore) -> FloatArray:
    """Self-influence of every training example by the default method, shape (N,), in order of position."""
    found = results.frame(
        "select score from self_influence where split = 'train' and method = ? order by position", [DEFAULT_METHOD]
    )
    return found["score"].to_numpy()


def opposed_tests(results: ResultStore) -> pd.DataFrame:
    """For training examples among the strongest stored opponents of correctly predicted test examples.

    Columns position, tests (how many those are) and word (the whole word through which most of that opposition goes; start
    and end tokens, punctuation and function words left out).
    """
    counts = results.frame(
        f"with {_opponents('=')} select train as position, count(*) as tests from opponents group by train order by train"
    )
    words = {train: word for (train,), word in _telling_words(results, "=", ("train",)).items()}
    return counts.assign(word=counts["position"].map(words).astype(object))


def driven_errors(results: ResultStore) -> pd.DataFrame:
    """The strongest stored opponents of every wrong test prediction: the columns of the table of that name."""
    found = results.frame(f"""
        with {_opponents("<>")}
        select o.train as position, o.test, e.id as test_id, e.label, o.predicted, e.text, e.text_pair, o.score, -o.rank as rank
        from opponents o join examples e on e.split = 'test' and e.position = o.test order by o.train, o.score
    """)
    words = _telling_words(results, "<>", ("train", "test"))
    pairs = zip(found["position"].tolist(), found["test"].tolist(), strict=True)
    return found.drop(columns="test").assign(word=pd.Series([words.get(pair) for pair in pairs], dtype=object))


def _opponents(predicted: str) -> str:
    return f"""opponents as (
        select i.train, i.test, i.score, i.rank, p.predicted
        from influences i
        join examples e on e.split = 'test' and e.position = i.test
        join predictions p on p.split = 'test' and p.position = i.test
            and p.checkpoint = (select max(checkpoint) from checkpoints)
        where i.method = '{DEFAULT_METHOD}' and i.rank < 0 and p.predicted {predicted} e.label)"""


def _telling_words(results: ResultStore, predicted: str, keys: Sequence[str]) -> dict[tuple[int, ...], str]:
    """By train, or by train and test: the whole word, in lower case, that carries most of the opposition and says something."""
    names = ", ".join(keys)
    rows = results.rows(f"""
        with {_opponents(predicted)},
        parts as (select {", ".join(f"c.{key}" for key in keys)}, c.train_word, sum(c.score) as score
            from contributions c join opponents using (train, test) group by all)
        select {names}, any_value(e.text), any_value(e.text_pair), list((p.score, w.side, w.start_at, w.end_at) order by w.word)
        from parts p join words w on w.split = 'train' and w.position = p.train and w.word = p.train_word
        join examples e on e.split = 'train' and e.position = p.train
        where w.special is null group by {names}""")
    found = {}
    for *key, text, pair, parts in rows:
        if word := _telling_word(text, pair, parts):
            found[tuple(key)] = word
    return found


def _telling_word(text: str, pair: str | None, parts: Sequence[tuple[float, int, int, int]]) -> str | None:
    sums: dict[str, float] = {}
    for score, side, start, end in parts:
        written = (text, pair or "")[side]
        start, end = whole_span(written, start, end)
        word = written[start:end].lower()
        sums[word] = sums.get(word, 0.0) + score
    carrying = [(score, word) for word, score in sums.items() if score < 0 and not is_function_word(word)]
    return min(carrying)[1] if carrying else None
