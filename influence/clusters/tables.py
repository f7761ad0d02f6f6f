"""The tables of `clusters.duckdb`, and its SQL: difficult examples in dendrogram order, and every join of them."""

from collections.abc import Sequence
from typing import ClassVar

import duckdb
import pandas as pd

from influence.program import PROGRAM
from influence.workspace import DerivedStore, Migration, ResultStore, in_id_order

MEMBERS = """select j.cluster, e.* exclude place
    from joins j join examples e on e.place between j.first and j.first + j.size - 1"""
IDS = in_id_order("e.train_id", "examples")
IN_CUT = "height <= $threshold and parent_height > $threshold and size >= $min_size"


def m001_initial(cursor: duckdb.DuckDBPyConnection) -> None:
    # The members of a join are the examples at places first to first + size - 1.
    cursor.execute("""
        create table provenance (name varchar, value json);
        create table examples (place integer, position integer, train_id varchar, text varchar, text_pair varchar,
            label varchar, predicted varchar, suggested_label varchar, suspicion double, x double, y double);
        create table joins (cluster integer, height double, parent_height double, first integer, size integer,
            words varchar[]);
    """)


def m002_what_they_are_worth(cursor: duckdb.DuckDBPyConnection) -> None:
    # The file is always written new, so a file of version 1 stays as it is and is read without these columns.
    for column in ("doubt double", "mistakes integer", "start_end_share double"):
        cursor.execute(f"alter table joins add column {column}")


def m003_their_share_of_the_pull(cursor: duckdb.DuckDBPyConnection) -> None:
    # As above. In a file of version 2 `mistakes` counts whatever a member is among the stored opponents of; it is not read.
    cursor.execute("alter table joins add column mistake_pull double")


class ClusterStore(DerivedStore):
    """The dendrogram of one build's difficult examples."""

    migrations: ClassVar[Sequence[Migration]] = (m001_initial, m002_what_they_are_worth, m003_their_share_of_the_pull)
    kind = "clusters file"
    remedy = f"delete it and run: {PROGRAM} clusters"

    def cut(self, threshold: float, min_size: int) -> pd.DataFrame:
        """The clusters at a threshold, by number: the columns of joins."""
        return self.frame(f"select * from joins where {IN_CUT} order by cluster", {"threshold": threshold, "min_size": min_size})

    def members(self, threshold: float, min_size: int) -> pd.DataFrame:
        """The members of all clusters at a threshold, the most suspicious first: cluster, and the columns of examples."""
        return self.frame(
            f"{MEMBERS} where {IN_CUT} order by e.suspicion desc, {IDS}",
            {"threshold": threshold, "min_size": min_size},
        )

    def one(self, join: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """One join and its members, the same columns as `cut` and `members`; no rows for an unknown one."""
        members = self.frame(f"{MEMBERS} where j.cluster = ? order by e.suspicion desc, {IDS}", [join])
        return self.frame("select * from joins where cluster = ?", [join]), members

    def places(self) -> pd.DataFrame:
        """Every difficult example with its place on the map."""
        return self.frame(f"select e.* exclude (place, position) from examples e order by suspicion desc, {IDS}")


def training_texts(results: ResultStore, most: int) -> pd.DataFrame:
    """position, text and text_pair of the training examples, or of `most` spread evenly over them."""
    return results.frame(
        """select position, text, text_pair from examples
        where split = 'train' and position % (select 1 + (count(*) - 1) // $most from examples where split = 'train') = 0
        order by position""",
        {"most": most},
    )
