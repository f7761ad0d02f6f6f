"""The tables of `clusters.duckdb`, and its SQL: difficult examples in dendrogram order, and every join of them."""

from collections.abc import Sequence
from typing import ClassVar

import duckdb
import pandas as pd

from influence.workspace import DerivedStore, Migration

MEMBERS = """select j.cluster, e.* exclude place
    from joins j join examples e on e.place between j.first and j.first + j.size - 1"""
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


class ClusterStore(DerivedStore):
    """The dendrogram of one build's difficult examples."""

    migrations: ClassVar[Sequence[Migration]] = (m001_initial,)
    kind = "clusters file"
    remedy = "delete it and run: python -m influence clusters"

    def cut(self, threshold: float, min_size: int) -> pd.DataFrame:
        """The clusters at a threshold, the largest first, then the tightest: columns cluster, height, size, words."""
        return self.frame(
            f"select cluster, height, size, words from joins where {IN_CUT} order by size desc, height, cluster",
            {"threshold": threshold, "min_size": min_size},
        )

    def members(self, threshold: float, min_size: int) -> pd.DataFrame:
        """The members of all clusters at a threshold, the most suspicious first: cluster, and the columns of examples."""
        return self.frame(
            f"{MEMBERS} where {IN_CUT} order by e.suspicion desc, e.position",
            {"threshold": threshold, "min_size": min_size},
        )

    def one(self, join: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """One join and its members, the same columns as `cut` and `members`; no rows for an unknown one."""
        members = self.frame(f"{MEMBERS} where j.cluster = ? order by e.suspicion desc, e.position", [join])
        return self.frame("select cluster, height, size, words from joins where cluster = ?", [join]), members

    def places(self) -> pd.DataFrame:
        """Every difficult example with its place on the map."""
        return self.frame("select * exclude (place, position) from examples order by suspicion desc, position")
