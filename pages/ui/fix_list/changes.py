"""The Fix list's first part: the files to take away, the balance of labels, and every change with its reason."""

from functools import partial

import streamlit as st

from influence.fixes import Fix, FixList, fix_list
from pages.ui.fix_list import disagreements, downloads, dry_run
from pages.ui.fix_list.address import POLICY_NAMES, FixListAddress
from pages.ui.frame import Session, bind, numbers, render, shell, turn_pages
from pages.ui.jobs import again
from pages.ui.parts import Row, charts, decision_charts, rows, verdicts

PAGE = 25
MOST_LISTED = 50


def draw(session: Session, address: FixListAddress) -> None:
    """The whole part."""
    found = fix_list(session.reviews, policy=address.policy)
    if not (found.fixes or found.conflicts or found.unmatched or found.settled):
        with st.container(key="wt-gate"):
            render.state_text("No decisions yet" if not found.applied else "Nothing new is decided", _gathered(found))
            with st.container(key="wt-first"):
                shell.link("review", "Review", workspace=address.workspace)
        return
    with st.container(key="wt-split-changes"):
        left, right = st.columns([1.6, 1], gap="large")
    with right:
        _files(session, address, found)
        _balance(found)
        _aside(session, address, found)
    with left:
        _changes(address, found)


def _gathered(found: FixList) -> str:
    text = "Decide some examples in Review, apply a rule, or act on a cluster; they gather here."
    done = numbers.counted(found.applied, "example")
    return f"{done} of this data {'is' if found.applied == 1 else 'are'} fixed already. {text}" if found.applied else text


def _files(session: Session, address: FixListAddress, found: FixList) -> None:
    again.draw(session.workspace, found.changes, address.policy)
    render.heading("Take it away", _counted(found))
    name = f"{address.workspace}-fixes"
    if found.fixes:
        st.download_button(
            "Everything in one zip", key="fix_zip", type="primary", icon=":material/download:", width="stretch",
            data=partial(downloads.bundle, session.reviews, address.policy), file_name=f"{name}.zip", mime="application/zip",
            on_click="ignore", help="The list in all three forms, the corrected data, a report, and the command to apply it",
        )  # fmt: skip
        with st.container(horizontal=True, key="wt-fix-files"):
            for suffix, mime in downloads.KINDS.items():
                st.download_button(
                    suffix.removeprefix(".").upper() if suffix != ".parquet" else "Parquet", key=f"fix_{suffix[1:]}",
                    data=partial(downloads.fixes, session.reviews, address.policy, suffix),
                    file_name=f"{name}{suffix}", mime=mime,
                    on_click="ignore", width="stretch",
                )  # fmt: skip
        render.hint(
            "The list as CSV is safe to open in a spreadsheet; JSONL and Parquet hold every letter as it is. The corrected data "
            "keeps your file's cells: where a spreadsheet could take one for a formula, the zip has the data as Parquet, too."
        )
        render.hint("The report in the zip says how to make the changes in your own file.")
        dry_run.draw(found)
        shell.link("proof", "Does it help? Try it in Proof", workspace=address.workspace, part="fixes")


def _counted(found: FixList) -> str:
    """The changes, and apart from them what was looked at and kept."""
    kept = len(found.fixes) - found.changes
    return numbers.counted(found.changes, "change") + (f", {kept:,} kept as they are" if kept else "")


def _balance(found: FixList) -> None:
    render.heading("Labels", f"{sum(found.before.values()):,} examples before, {sum(found.after.values()):,} after")
    st.plotly_chart(decision_charts.balance(found.before, found.after), key="fix_balance", config=charts.STILL)


def _aside(session: Session, address: FixListAddress, found: FixList) -> None:
    """What a person should know before they apply the list."""
    if found.conflicts:
        settled = sum(conflict.decision is not None for conflict in found.conflicts)
        left_out = len(found.conflicts) - settled
        remark = f"{settled:,} settled by {POLICY_NAMES[address.policy]}, {left_out:,} left out of the list."
        disagreements.draw(session, found.conflicts, remark=remark)
    if found.unmatched:
        render.heading("Do not fit this data", f"{len(found.unmatched):,} left out")
        render.notes(
            f"{u.decision.example_id}: {verdicts.of_decision(u.decision)} by {u.decision.reviewer}; {u.why}"
            for u in found.unmatched[:MOST_LISTED]
        )
    if found.applied:
        done = numbers.counted(found.applied, "example")
        render.hint(f"{done} of this data {'is' if found.applied == 1 else 'are'} fixed already; what is listed goes on top.")
    if found.settled:
        render.hint(f"{len(found.settled):,} relabels are in the data already.")
    if found.flagged:
        render.hint(f"{len(found.flagged):,} of the fixes have been flagged since: {', '.join(found.flagged[:5])}.")


def _changes(address: FixListAddress, found: FixList) -> None:
    counts = ", ".join(f"{count:,} {verdicts.done(action)}" for action, count in found.counts.items() if count)
    render.heading("Changes", counts or "none")
    if found.conflicts or address.policy != "majority":
        st.selectbox(
            "Disagreements go by", list(POLICY_NAMES), format_func=POLICY_NAMES.__getitem__, width=190,
            **bind(address, "policy", "fix_policy", page=1),
        )  # fmt: skip
    pages = max(1, -(-len(found.fixes) // PAGE))
    page = min(address.page, pages)
    ordered = sorted(found.fixes, key=lambda fix: not fix.edit.does.changes_data)  # what changes the data first
    shown = ordered[(page - 1) * PAGE : page * PAGE]
    rows.draw([_row(fix) for fix in shown], key="fix_rows")
    turn_pages(address, page, pages, key="fix_page")


def _row(fix: Fix) -> Row:
    words = [(f"“{word}”", "gone") for word in fix.words]
    when = numbers.moment(fix.decided_at)
    return rows.row(
        fix.example_id,
        labels=[*verdicts.becomes(fix.old_label, fix.edit), *words],
        sides=rows.plain(*fix.text.split("\x1f", 1)) if "\x1f" in fix.text else rows.plain(fix.text),
        reason=fix.reason,
        foot=f"{fix.reviewer} · {when}",
    )
