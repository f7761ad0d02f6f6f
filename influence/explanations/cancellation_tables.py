"""The tables of `cancellation.duckdb`, and its SQL."""

from collections.abc import Sequence
from typing import ClassVar

import duckdb
import pandas as pd

from influence.program import PROGRAM
from influence.workspace import DerivedStore, Migration


def m001_initial(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("""
        create table provenance (name varchar, value json);
        create table steps (place integer, layer varchar, role varchar, part varchar, parameters bigint,
            checkpoint integer, gradient double, change double, cosine double);
    """)


class CancellationStore(DerivedStore):
    """How the gradients of one build's examples cancel out, by layer and checkpoint."""

    migrations: ClassVar[Sequence[Migration]] = (m001_initial,)
    kind = "cancellation file"
    remedy = f"delete it and run: {PROGRAM} cancellation"

    def by_layer(self) -> pd.DataFrame:
        """Summed over checkpoints: layer, role, part, parameters, gradient, change, ratio and the mean cosine."""
        return self.frame("""
            select layer, role, part, parameters, sum(gradient) as gradient, sum(change) as change,
                sum(gradient) / nullif(sum(change), 0) as ratio, avg(cosine) as cosine
            from steps group by place, layer, role, part, parameters order by place, part desc
        """)
