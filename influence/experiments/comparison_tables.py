"""The questions about one workspace's results that comparing two takes."""

import pandas as pd

from influence.workspace import ResultStore


def tests(store: ResultStore) -> pd.DataFrame:
    """Every test row: its text's hash and the how-manieth of that text it is, id, texts, label, predicted, confidence.

    The last two are the last checkpoint's.
    """
    return store.frame("""
        select text_sha256, row_number() over (partition by text_sha256 order by e.position) as occurrence,
            e.position, id, text, text_pair, label, predicted, confidence
        from examples e join predictions p using (split, position)
        where split = 'test' and checkpoint = (select max(checkpoint) from checkpoints) order by e.position
    """)


def strongest(store: ResultStore, method: str, top: int) -> pd.DataFrame:
    """The `top` strongest on either side of every test example: its text's hash, side (1, -1), the training text's hash."""
    return store.frame(
        """select distinct t.text_sha256 as test, sign(i.rank) as side, e.text_sha256 as train
        from influences i join examples t on t.split = 'test' and t.position = i.test
        join examples e on e.split = 'train' and e.position = i.train
        where i.method = ? and abs(i.rank) <= ?""",
        [method, top],
    )
