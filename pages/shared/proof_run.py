"""The form that starts a proof: what is tried, on how many test sentences, how surely; and how long that takes."""

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

import influence
from influence import METHODS
from pages.shared import background, desk, numbers, render, waiting

KS = (5, 10, 20, 50, 100, 200)


@dataclass(frozen=True)
class Form:
    """One command with its usual settings."""

    command: str
    title: str
    methods: tuple[str, ...]
    ks: tuple[int, ...]
    points: int
    retrains: int
    models: Callable[[int, int, int, int], int]  # from how many methods, values of k, test sentences, retrainings
    most_points: int
    points_name: str


def draw(workspace: influence.Workspace, form: Form, *, expanded: bool) -> None:
    """The form, folded away where there is a result to look at."""
    with st.expander("Run it" if expanded else "Run it again, with other settings", expanded=expanded):
        methods = st.multiselect(
            "Methods", [id for id in METHODS if not id.startswith("random")], default=list(form.methods),
            format_func=lambda id: METHODS[id].title, key=f"proof_methods_{form.command}",
            help="Random choices are always tried beside them",
        )  # fmt: skip
        with st.container(horizontal=True, vertical_alignment="bottom"):
            ks = st.multiselect(
                "Examples changed (k)",
                KS,
                default=list(form.ks),
                key=f"proof_k_{form.command}",
                accept_new_options=False,
                width=260,
            )
            points = st.number_input(
                form.points_name, 1, max(form.most_points, 1), min(form.points, max(form.most_points, 1)),
                key=f"proof_points_{form.command}", width=150,
            )  # fmt: skip
            retrains = st.number_input("Seeds", 1, 50, form.retrains, key=f"proof_seeds_{form.command}", width=150)
        if not (methods and ks):
            render.hint("Choose at least one method and one number of examples.")
            return
        ks = sorted(k for k in ks if k < workspace.info.n_train) or [min(ks)]
        models = form.models(len(methods), len(ks), int(points), int(retrains))
        render.hint(
            f"Trains up to {models:,} models, each once: {waiting.time_for(workspace, models)}. What is finished is kept, so "
            "it can be stopped and started again; the app stays usable meanwhile."
        )
        options = ["--methods", ",".join(methods), "--k", ",".join(map(str, ks))]
        options += ["--test-points", str(int(points)), "--retrains", str(int(retrains))]
        st.button(
            "Run", type="primary", icon=":material/play_arrow:", key=f"proof_run_{form.command}",
            on_click=start, args=(workspace, form.command, form.title, options),
        )  # fmt: skip
        command(workspace, form.command, options)


def command(workspace: influence.Workspace, name: str, options: Sequence[str] = ()) -> None:
    """The command that does the same, for a machine that is quicker than this one."""
    render.hint("Or on the command line, where the workspace is:")
    render.command(shlex.join(["python", "-m", "influence", name, "--workspace", str(workspace.path), *options]))


def start(workspace: influence.Workspace, name: str, title: str, options: Sequence[str]) -> None:
    """Queue a command. For callbacks."""
    try:
        background.enqueue(workspace, name, *options, title=title, key=json.dumps([name, *options]))
    except influence.WordtraceError as error:
        desk.say(f"Not started: {error}", failed=True)


def choice(names: dict[str, str], chosen: str, on_change: Callable[[], None], key: str) -> None:
    """A switch between earlier runs, where there are several."""
    if len(names) > 1:
        st.session_state[key] = chosen
        st.selectbox("Run", list(names), format_func=lambda name: names[name], key=key, on_change=on_change, width=420)


def about(settings: dict[str, object], made_at: str, points: str) -> str:
    """A run in a line."""
    ks = settings["ks"]
    assert isinstance(ks, list)
    seeds = settings["retrains"]
    tried = f"{settings['test_points']} {points}, {seeds} seed{'' if seeds == 1 else 's'}, k = {', '.join(map(str, ks))}"
    return f"{tried} · {numbers.moment(made_at)}"
