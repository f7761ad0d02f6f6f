"""The Fix list tried on a file: which rows would change, what does not fit, and the labels before and after."""

from typing import Any

import streamlit as st

import influence
from influence.fixes import FixList, GivenColumns, open_train_file, plan
from influence.reading import FormOptions
from pages.ui.fix_list import uploads
from pages.ui.frame import md, numbers, render
from pages.ui.parts import charts, decision_charts

KEY = "dry_run_file"


def draw(found: FixList) -> None:
    """The upload, and what the list would do to that file. Nothing is written, and the file is not kept."""
    with st.expander("Try it on a file first"):
        render.hint("Give your training file: the list is checked against it. Nothing is written, and the file is not kept.")
        upload: Any = st.file_uploader("Training file", key=KEY, max_upload_size=uploads.LIMIT, label_visibility="collapsed")
        if upload is None:
            return
        try:
            with uploads.read_from(upload) as file:
                train = open_train_file(str(file), found.fixes, GivenColumns(), FormOptions())
                applied = plan(train, found.fixes, source="The fix list")
        except influence.WordtraceError as error:
            # What follows the rows at fault speaks of a command's options.
            st.error(md(str(error).partition("; nothing was written")[0], 2_000))
            return
        gone = applied.rows_before - applied.rows_after
        changed = f"{found.changes:,} of {numbers.counted(applied.rows_before, 'row')} would change"
        render.verdict(f"It fits: {changed}, {gone:,} of them would be removed.", sure=True)
        st.plotly_chart(decision_charts.balance(applied.before, applied.after), key="dry_run_balance", config=charts.STILL)
        if applied.notes:
            render.notes(applied.notes)
