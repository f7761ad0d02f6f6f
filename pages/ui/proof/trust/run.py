"""The form that starts a proof: what is tried, on how many test sentences, how surely; and how long that takes."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

import streamlit as st

import influence
from influence import METHODS
from influence.experiments import FEWEST
from influence.retraining import time_expected
from pages.ui.frame import bind, numbers, render
from pages.ui.jobs import compute, waiting
from pages.ui.parts import method_menu
from pages.ui.proof import ProofAddress

KS = (5, 10, 20, 50, 100, 200)
MANY = 20  # models, for what one of them takes
LONGEST = 3_600.0  # seconds that a form may propose to spend
SPECIAL = {"no_overlap": "little word overlap only", "freeze_embedding": "embedding frozen", "with_bias": "with biases"}


@dataclass(frozen=True)
class Switch:
    """A setting that is on or off, with what it adds to the command when it is, and when it is not."""

    name: str
    title: str
    help: str
    options: tuple[str, str]  # on, off; empty: nothing
    on: bool = False


@dataclass(frozen=True)
class Form:
    """One command with its usual settings."""

    command: str
    title: str
    methods: tuple[str, ...]
    retrains: int
    # How many models, from how many methods, values of k, test sentences, retrainings, and the switches that are on.
    models: Callable[[int, int, int, int, Collection[str]], int]
    most_points: int
    points_name: str
    switches: tuple[Switch, ...] = ()
    remarks: Callable[[Collection[str]], list[str]] = lambda _on: []  # on what is switched on
    opponents_only: bool = False  # so that methods without opponents are no choice
    ks: tuple[int, ...] = (10, 50)
    points: int = 6
    button: str = "Find out"

    def key(self, name: str) -> str:
        """The key of a field's widget."""
        return f"proof_{name}_{self.command}"


def draw(workspace: influence.Workspace, form: Form, *, first: bool) -> None:
    """The button and its settings; both folded away where there is a result to look at."""
    usual = affordable(form, time_expected(workspace, MANY)[0] / MANY)
    for name, value in (("methods", list(form.methods)), ("k", usual[0]), ("points", usual[1]), ("seeds", usual[2])):
        st.session_state.setdefault(form.key(name), value)
    for switch in form.switches:
        st.session_state.setdefault(form.key(switch.name), switch.on)
    most = max(form.most_points, 1)
    st.session_state[form.key("points")] = min(st.session_state[form.key("points")], most)  # another workspace had more
    if first:
        _button(workspace, form)
    with st.expander("Settings" if first else "Run it again, with other settings"):
        _fields(workspace, form, most)
        if not first:
            _button(workspace, form)


def _fields(workspace: influence.Workspace, form: Form, most: int) -> None:
    offered = [(id, METHODS[id]) for id in method_menu.offered(workspace)]
    methods = [id for id, one in offered if not one.drawn and (one.signed or not form.opponents_only)]
    st.multiselect(
        "Methods", methods, format_func=method_menu.name, key=form.key("methods"),
        help="Random choices are always tried beside them, drawn anew for every seed",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.multiselect("How many examples", KS, key=form.key("k"), accept_new_options=False, width=260)
        st.number_input(form.points_name, 1, most, key=form.key("points"), width=150)
        st.number_input("Seeds", 1, 50, key=form.key("seeds"), width=150)
    with st.container(horizontal=True):
        for switch in form.switches:
            st.checkbox(switch.title, key=form.key(switch.name), help=switch.help)


def _button(workspace: influence.Workspace, form: Form) -> None:
    asked = _asked(workspace, form)
    if not (asked.methods and asked.ks):
        render.hint("Choose at least one method and one number of examples.")
        return
    models = form.models(len(asked.methods), len(asked.ks), asked.points, asked.retrains, asked.on)
    render.notes(form.remarks(asked.on))
    st.button(
        form.button, type="primary", icon=":material/play_arrow:", key=f"proof_run_{form.command}", on_click=_run,
        args=(workspace, form),
    )  # fmt: skip
    few = min(asked.points, asked.retrains) < FEWEST
    render.hint(
        f"Trains up to {models:,} models, each once: {waiting.time_for(workspace, models)}. What is finished is kept, so it can "
        "be stopped and started again; the app stays usable meanwhile."
        + (f" From fewer than {FEWEST} {form.points_name.lower()} and {FEWEST} seeds nothing can be told." if few else "")
    )


@dataclass(frozen=True)
class _Chosen:
    """The form as it is filled in."""

    methods: list[str]
    ks: list[int]
    points: int
    retrains: int
    on: list[str]  # names of switches
    switched: list[str]  # their options

    def options(self) -> list[str]:
        options = ["--methods", ",".join(self.methods), "--k", ",".join(map(str, self.ks))]
        return [*options, "--test-points", str(self.points), "--retrains", str(self.retrains), *self.switched]


def _asked(workspace: influence.Workspace, form: Form) -> _Chosen:
    methods, ks, points, retrains = (st.session_state[form.key(name)] for name in ("methods", "k", "points", "seeds"))
    fitting = sorted(k for k in ks if k < workspace.info.n_train) or sorted(ks)[:1]
    on = [switch.name for switch in form.switches if st.session_state[form.key(switch.name)]]
    switched = [option for switch in form.switches if (option := switch.options[switch.name not in on])]
    return _Chosen(methods, fitting, int(points), int(retrains), on, switched)


def affordable(form: Form, seconds: float) -> tuple[list[int], int, int]:
    """The usual k, test sentences and retrainings, or as many of them as are done within an hour of `seconds` a model.

    Never so few that nothing could be told from them, however long that takes.
    """
    ks, points, retrains = list(form.ks), min(form.points, max(form.most_points, 1)), form.retrains
    on = [switch.name for switch in form.switches if switch.on]

    def too_long() -> bool:
        return form.models(len(form.methods), len(ks), points, retrains, on) * seconds > LONGEST

    while retrains > FEWEST and too_long():
        retrains -= 1
    while len(ks) > 1 and too_long():
        ks = ks[1:]
    while points > FEWEST and too_long():
        points -= 1
    return ks, points, retrains


def _run(workspace: influence.Workspace, form: Form) -> None:
    asked = _asked(workspace, form)  # as it is filled in at the click, which may be later than what is drawn
    if asked.methods and asked.ks:
        models = form.models(len(asked.methods), len(asked.ks), asked.points, asked.retrains, asked.on)
        seconds = time_expected(workspace, models)[0]
        compute.start(workspace, form.command, asked.options(), form.title, seconds=seconds)


def choice(address: ProofAddress, names: dict[str, str], chosen: str) -> None:
    """A switch between earlier runs, where there are several."""
    if len(names) > 1:
        binding = bind(address.at(run=chosen), "run", f"proof_runs_{address.part}")
        st.selectbox("Run", list(names), format_func=names.__getitem__, width=420, **binding)


def about(settings: dict[str, object], made_at: str, points: str) -> str:
    """A run in a line."""
    ks = settings["ks"]
    assert isinstance(ks, list)
    seeds = numbers.counted(int(str(settings["retrains"])), "seed")
    tried = f"{settings['test_points']} {points}, {seeds}, {' or '.join(map(str, ks))} examples each"
    special = [said for name, said in SPECIAL.items() if settings.get(name)]
    return " · ".join([tried, *special, numbers.moment(made_at)])
