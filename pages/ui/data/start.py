"""The last two steps of a new workspace: the model with what it will take, and the name under which the build starts."""

from dataclasses import replace
from typing import Any

import streamlit as st

import influence
from influence.models import demo_model
from influence.workspace import DATA_FOLDER
from pages.ui.data import files, orders, report
from pages.ui.data.address import DECAYS, LENGTHS, MODELS, MOMENTA, DataAddress, read_address
from pages.ui.frame import OnChange, bind, go, latest, md, messages, numbers, render, workspaces
from pages.ui.jobs import builds, waiting

EVERY = 0.7  # seconds between looks at an estimate that is being made
ABOUT = {
    "cnn": "The paper's network, trained from scratch on your data. Small, quick, no network; best from a few thousand rows.",
    "demo": "Pretrained on English sentences; its first layers are fine-tuned. Installed with the demo; needs no network.",
    "hub": "Any sequence classifier with safetensors weights and a fast tokenizer. Needs a network where the server runs.",
    "folder": "A folder with config.json, model.safetensors and a fast tokenizer under the server's data folder.",
}


def draw(address: DataAddress, answer: dict[str, Any]) -> None:
    """Both steps."""
    usual, why = _usual_model(answer)
    if not address.model:
        address = replace(address, model=usual)
    if any(one["level"] == "stop" for one in answer["findings"]):
        render.hint("A build cannot start before what stops it is put right: choose other columns above, or another file.")
        return
    render.step(3, "The model", "whose predictions you will see explained")
    ready = _model(address, f"Without a choice of yours it is {MODELS[usual]}, since {why}.")
    options = _options(address) if ready else None
    render.step(4, "Build", "it runs by itself: you may close this page")
    _preparation(address, answer)
    _start(address, answer, options)


def _usual_model(answer: dict[str, Any]) -> tuple[str, str]:
    """Which of `MODELS` a build of the reported data trains where none is chosen, and why."""
    usual = answer.get("usual_model")  # a report that was kept by an earlier version has none
    if usual is None:
        return "cnn", "this report does not say what suits the data"
    return "cnn" if usual["num_hidden_layers"] is None else "demo", str(usual["why"])


def _model(address: DataAddress, usual: str) -> bool:
    """The choice of a model, which begins with the usual one; whether it is complete."""
    kinds = [kind for kind in MODELS if kind != "demo" or demo_model() is not None]
    if not files.model_folders():
        kinds.remove("folder")
    shown = address.at(model=address.model if address.model in kinds else "cnn")
    st.segmented_control(
        "Model", kinds, format_func=MODELS.__getitem__, required=True, label_visibility="collapsed",
        **bind(shown, "model", "data_model", weights=""),
    )  # fmt: skip
    render.hint(f"{ABOUT[shown.model]} {usual}")
    if address.model == "hub":
        st.session_state["data_weights"] = address.weights
        st.text_input(
            "Hub id", key="data_weights", placeholder="google/bert_uncased_L-2_H-128_A-2", max_chars=200, width=420,
            on_change=_spell, args=(address, "weights", "data_weights"),
        )  # fmt: skip
    elif address.model == "folder":
        binding = bind(address, "weights", "data_folder", empty=None)
        st.selectbox("Folder", files.model_folders(), placeholder="choose one", width=420, **binding)
    with st.expander("Settings"):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _settings(address)
        _freezing(address)
        if address.model != "cnn" and not address.freeze:  # the CNN is trained by SGD
            _keeping(address)
    return address.model in ("cnn", "demo") or bool(address.weights)


def _settings(address: DataAddress) -> None:
    counts = {
        "epochs": ("Epochs", "as many as suit", "Passes over the training part; left empty, as many as suit model and data")
    }
    if address.model in ("hub", "folder"):
        counts["layers"] = ("Layers", "all", "Left empty, all of the model's; fewer are faster")
    for field, (label, empty, about) in counts.items():
        key = f"data_{field}"
        st.session_state[key] = getattr(address, field) or None
        st.number_input(
            label, 1, 99, width=150, help=about, placeholder=empty, key=key, on_change=_count, args=(address, field, key)
        )
    numbers_of = {
        "seed": ("Seed", 0, 10**6, "Of the weights, the order of training and the test part"),
        "share": ("Test part, per cent", 5, 50, "Where there is no test file; at most 5,000 rows"),
        "most": ("Checkpoints, at most", 1, 99, "Scores are summed over so many of the epochs, spread over the fall of the loss"),
    }
    for field, (label, low, high, about) in numbers_of.items():
        st.number_input(label, low, high, width=150, help=about, **bind(address, field, f"data_{field}"))
    if address.model == "cnn":  # the others are trained by AdamW
        st.selectbox(
            "Momentum", list(MOMENTA), format_func=MOMENTA.__getitem__, width=150, help="Of SGD, which trains the CNN",
            **bind(address, "momentum", "data_momentum"),
        )  # fmt: skip
    st.selectbox(
        "Weight decay", list(DECAYS), format_func=DECAYS.__getitem__, width=150, help="Keeps weights small; 0 in the paper",
        **bind(address, "decay", "data_decay"),
    )  # fmt: skip
    lengths = sorted({*LENGTHS, address.length})
    st.selectbox("Cut texts at, tokens", lengths, width=170, **bind(address, "length", "data_length"))


def _freezing(address: DataAddress) -> None:
    about = "In the paper's experiment without word overlap: what one word is taught then reaches others that mean the same"
    _checkbox(address, "freeze", "data_freeze", "Leave the word embedding as it began", about)


def _keeping(address: DataAddress) -> None:
    about = "For “TracIn-WE by Adam's steps”: scores of what AdamW's own steps do. Twice the word embedding's size a checkpoint"
    _checkbox(address, "moments", "data_moments", "Keep the optimizer's second moments", about)


def _checkbox(address: DataAddress, field: str, key: str, label: str, about: str) -> None:
    st.session_state[key] = bool(getattr(address, field))
    st.checkbox(label, key=key, on_change=_tick, args=(address, field, key), help=about)


def _tick(address: DataAddress, field: str, key: str) -> None:
    go(address.at(**{field: int(st.session_state[key])}))


def _count(address: DataAddress, field: str, key: str) -> None:
    go(address.at(**{field: st.session_state[key] or 0}))


def _spell(address: DataAddress, field: str, key: str) -> None:
    go(address.at(**{field: st.session_state[key].strip()}))


def _options(address: DataAddress) -> list[str] | None:
    """The options of the estimate, and what it says, or the button that has it made."""
    try:
        options = [*address.data_options(), *_estimated(address), "--only-estimate"]
        if not address.test:
            options += ["--test-share", f"{address.share / 100:g}"]
        key = address.stamp(options)
    except influence.WordtraceError as error:
        st.error(md(error, 600))
        return None
    answer, job = orders.answer(key), orders.asked(key)
    if answer is not None and answer["estimate"] is not None:
        _estimate(answer["estimate"])
    elif job is not None and not job.failed:
        _measuring(key)
    else:
        if job is not None:
            st.error(md(builds.complaint(job), 600))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("How long will it take?", key="data_measure", icon=":material/timer:", on_click=_ask, args=(key, options))
            render.hint("Measures time, memory and disk by building from a small part of your data: half a minute or so.")
    return options


def _estimated(address: DataAddress) -> list[str]:
    """The model's options without the learning rate, which changes no time."""
    found = address.model_options()
    if "--learning-rate" in found:
        at = found.index("--learning-rate")
        del found[at : at + 2]
    return found


def _ask(key: str, options: list[str]) -> None:
    try:
        if (job := orders.asked(key)) is not None:
            job.dismiss()
        orders.ask(key, options, "estimate")
    except influence.WordtraceError as error:
        messages.say(str(error), failed=True)


@st.fragment(run_every=EVERY)
def _measuring(key: str) -> None:
    job, answer = orders.asked(key), orders.answer(key)
    if job is None or job.failed or (answer is not None and answer["estimate"]):
        st.rerun()
    assert job is not None
    progress = job.progress()
    render.progress("Building from a small part of your data…", [], progress.share if progress else 0.0, "")
    waiting.cancel_button(job, "Stop", "data_measure_stop")


def _estimate(found: dict[str, Any]) -> None:
    low, expected = numbers.roughly(found["low"]), numbers.roughly(found.get("expected", found["high"]))
    tokens, cut = found["tokens"], found["truncated"]
    figures = (
        ("Time", f"about {expected}", "as busy as this machine is now" + ("" if low == expected else f"; {low} were it idle")),
        ("Memory", numbers.size(found["memory"]), "at most"),
        ("Disk", numbers.size(found["disk"]), f"{numbers.size(found['disk_peak'])} while it runs"),
        ("Tokens a text", f"{tokens['median']:,}", f"median; {numbers.probability(cut)} are cut at {found['max_length']:,}"),
    )
    with st.container(border=True, key="wt-estimate"):
        render.figures(figures)
        render.hint(
            f"Measured: {found['sample_rows']:,} training and {found['sample_test_rows']:,} test rows went through every stage "
            f"in {numbers.duration(found['sample_seconds'])} on {found['device'].upper()}; scaled to {found['rows']:,} and "
            f"{found['test_rows']:,} rows and {found['epochs']} epochs."
        )


def _preparation(address: DataAddress, answer: dict[str, Any]) -> None:
    mends = [one for one in answer["findings"] if one["level"] == "mend"]
    if not mends:
        return
    st.session_state["data_mend"] = bool(address.mend)
    st.checkbox(
        "Leave out rows that cannot be used, and make labels that look alike one", key="data_mend",
        on_change=_mend, args=(address,),
        help="For this workspace: your file stays as it is",
    )  # fmt: skip
    if not address.mend:
        render.hint("Without it the build will refuse this file, and say which rows.")


def _mend(address: DataAddress) -> None:
    go(address.at(mend=int(st.session_state["data_mend"])))


def _start(address: DataAddress, answer: dict[str, Any], options: list[str] | None) -> None:
    name = address.name or _free_name(address)
    estimate = None if options is None else orders.answer(address.stamp(options))
    found = (estimate or {}).get("estimate") or {}
    roles = report.chosen(address, answer)
    columns = {"text": roles["text"], "text_pair": roles["pair"], "label": roles["label"], "id": roles["id"]}
    st.session_state["data_name"] = name
    with st.container(horizontal=True, vertical_alignment="bottom"):
        callback: OnChange = {"on_change": _spell, "args": (address, "name", "data_name")}
        st.text_input("Name of the workspace", key="data_name", max_chars=64, width=300, **callback)
        st.button(
            "Start the build", key="data_start", type="primary", icon=":material/play_arrow:", disabled=options is None,
            on_click=_begin, args=(address, name, columns, found),
        )  # fmt: skip
    waiting = sum(not job.failed for job in builds.runs())
    if waiting:
        render.hint(f"{waiting} build{'s are' if waiting > 1 else ' is'} before it: one runs at a time.")


def _free_name(address: DataAddress) -> str:
    base = files.plain_name(address.train.rpartition("/")[2])[:50].strip(" .-") or "mine"
    taken = {child.name.casefold() for child in workspaces.root().iterdir()}
    taken |= {str(job.about.get("name")).casefold() for job in builds.runs()} | {DATA_FOLDER}
    return next(name for n in range(1, 10_000) if (name := base if n == 1 else f"{base}-{n}").casefold() not in taken)


def _begin(drawn: DataAddress, name: str, columns: dict[str, str | None], estimate: dict[str, Any]) -> None:
    # A number that was typed just before the click has reached the address, but not the page that holds this button.
    address, _ = read_address(latest(drawn), drawn.workspace, workspaces.names())
    with messages.or_say("Not started"):
        if address.data() != drawn.data():
            raise influence.SettingsError("the data or its columns have just been changed; look at the report of them first")
        address = replace(address, model=address.model or drawn.model, name=address.name or name)
        expected = {"seconds": estimate["expected"], "stages": estimate["kinds"]} if "expected" in estimate else {}
        name = orders.start(address, columns, estimate.get("epochs"), expected)
        messages.say(f"The build of {name} has been started.")
        go(DataAddress(workspace=address.workspace, part="runs"))
