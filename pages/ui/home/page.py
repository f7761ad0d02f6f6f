"""The Home page: one look at a workspace."""

import re
from pathlib import Path
from typing import Any

import streamlit as st

import influence
from influence import WorkspaceInfo
from influence.suspects import weak_model
from influence.workspace import disk_use, turned_labels
from pages.ui.frame import answers, md, messages, numbers, render, shell
from pages.ui.home import continue_review
from pages.ui.parts import charts, learning

WIDE = 12  # labels, from which the matrix takes the whole width
MANY = 25  # labels, from which the matrix shows the most confused ones first
TOP_CONFUSIONS = 8
MATRIX = "home_confusion"
ABOUT = (
    "Why did the model say that? Pick a prediction: Wordtrace shows the training examples that taught it, and the words that "
    "carried the lesson, so that you find wrong labels and put them right."
)


def draw(workspace: influence.Workspace) -> None:
    """The page below the frame."""
    info, counts = workspace.info, answers.confusion(workspace)
    render.title(workspace.name)
    render.lead(ABOUT)
    render.hint(
        f"Built {numbers.moment(info.built_at)} in {numbers.duration(info.seconds)}; on disk "
        f"{numbers.sizes(disk_use(workspace.path))}"
    )
    _figures(info, counts)
    with st.container(key="wt-split-home"):
        left, right = st.columns([1.25, 1], gap="large")
    wide = len(info.labels) > WIDE
    with left:
        if not wide:
            _confusion(workspace, counts)
        _learning(info)
        _origin(info)
    with right:
        _next(workspace, counts)
        continue_review.build_again(workspace)
        messages.show()
        baseline = learning.made_of(workspace).get("baseline")
        if notes := [*_turned(workspace), *weak_model(info.accuracy, baseline), *info.warnings]:
            render.heading("Worth knowing")
            render.notes(map(_plain, notes))
    if wide:
        _confusion(workspace, counts)


def _plain(note: str) -> str:
    """What a build has noted, without the builder's folders and without options of the command line."""
    short = re.sub(r"'(/[^']+)'", lambda found: f"'{_short_path(found[1])}'", note)
    return re.sub(r" \(--[\w-]+\)", "", short)


def _turned(workspace: influence.Workspace) -> list[str]:
    """What the demonstration workspace has wrong on purpose."""
    turned = turned_labels(workspace.path)
    if not turned:
        return []
    return [
        f"This is the demo: {len(turned):,} of its {workspace.info.n_train:,} training labels were turned on purpose, so that "
        "there is something to find. Suspects should bring them up."
    ]


def _figures(info: WorkspaceInfo, counts: Any) -> None:
    wrong = _wrong(counts)
    last = info.checkpoints[-1]
    figures = (
        ("Test accuracy", f"{info.accuracy:.1%}", f"{info.n_test - wrong:,} of {info.n_test:,} right"),
        ("Wrong predictions", f"{wrong:,}", f"test loss {last.test_loss:.3f}"),
        (
            "Training sentences" if not info.has_pairs else "Training pairs",
            f"{info.n_train:,}",
            f"{last.train_accuracy:.1%} right",
        ),
        ("Labels", f"{len(info.labels):,}", ", ".join(map(str, info.labels)) if len(info.labels) <= 4 else "see the matrix"),
    )
    render.figures(figures)


def _wrong(counts: Any) -> int:
    table = counts.to_numpy()
    return int(table.sum() - table.trace())


def _confusion(workspace: influence.Workspace, counts: Any) -> None:
    labels = workspace.info.labels
    render.heading("Where it goes wrong", "rows: given labels, columns: predictions; a click opens those sentences")
    shown = labels
    if len(labels) > MANY:
        ranked = most_confused(counts, labels)
        choices = {MANY: f"{MANY} most confused labels", len(labels): f"all {len(labels)}"}
        many = st.segmented_control(
            "Labels",
            list(choices),
            format_func=choices.__getitem__,
            default=MANY,
            required=True,
            key="home_labels",
            label_visibility="collapsed",
        )
        shown = [label for label in labels if label in set(ranked[:many])]
    figure = charts.confusion(counts, shown)
    event = st.plotly_chart(figure, key=MATRIX, on_select="rerun", selection_mode="points", config=charts.STILL)
    for point in event["selection"]["points"]:
        given, predicted = point["customdata"][:2]
        if given in labels and predicted in labels:
            shell.switch("explore", workspace=workspace.name, show="all", label=given, predicted=predicted)


def most_confused(counts: Any, labels: list[str]) -> list[str]:
    """Labels by how many test sentences were taken from or for them wrongly, most first."""
    table = counts.to_numpy()
    errors = table.sum(axis=0) + table.sum(axis=1) - 2 * table.diagonal()
    return [label for _, label in sorted(zip(-errors, labels, strict=True), key=lambda pair: pair[0])]


def _next(workspace: influence.Workspace, counts: Any) -> None:
    wrong = _wrong(counts)
    name = workspace.name
    stopped = continue_review.stopped(workspace)
    render.heading("Where to go next" if stopped else "Begin here")
    with st.container(key="wt-first"):
        if stopped:
            text, queue = stopped
            shell.link("review", text, workspace=name, queue=queue)
        else:
            _predictions(name, wrong)
    if stopped:
        _predictions(name, wrong)
    shell.link("explore", "Try a text of your own", workspace=name, icon=":material/edit:", own="1")
    continue_review.draw(workspace)
    pairs = [
        (int(counts.loc[given, predicted]), given, predicted)
        for given in workspace.info.labels
        for predicted in workspace.info.labels
        if given != predicted and counts.loc[given, predicted]
    ]
    if len(workspace.info.labels) > 2 and pairs:
        render.hint("Most frequent mistakes")
        for count, given, predicted in sorted(pairs, key=lambda pair: -pair[0])[:TOP_CONFUSIONS]:
            text = f"{count} × {md(given, 40)} taken for {md(predicted, 40)}"
            shell.link("explore", text, workspace=name, icon=":material/arrow_forward:", label=given, predicted=predicted)


def _predictions(workspace: str, wrong: int) -> None:
    if wrong:
        shell.link("explore", f"{wrong:,} wrong test predictions: what taught the model that?", workspace=workspace)
    else:
        shell.link("explore", "No wrong test prediction: look at the right ones", workspace=workspace, show="right")


def _learning(info: WorkspaceInfo) -> None:
    render.heading("How it learnt")
    for column, what in zip(st.columns(2), ("loss", "accuracy"), strict=True):
        column.plotly_chart(charts.curves(info.epochs, what=what), key=f"home_{what}", config=charts.STILL)
    if len(info.checkpoints) < len(info.epochs):
        render.hint(f"Scores are summed over {len(info.checkpoints)} of the {len(info.epochs)} checkpoints: the filled points.")
    if info.checkpoints[-1].train_loss is not None:
        render.hint("The training loss is the mean over an epoch's steps; the other three are taken at its end.")
    if info.approximation:
        render.hint(info.approximation)


def _origin(info: WorkspaceInfo) -> None:
    render.heading("What it was built from")
    settings = info.settings
    training = settings.get("training") or {}
    trained = (
        ", ".join(f"{name.replace('_', ' ')} {training[name]}" for name in training if _says_something(name, training))
        if training
        else f"imported from {Path(str(settings.get('checkpoints'))).name}"
    )
    rates = ", ".join(f"{c.name} ({c.learning_rate:g})" for c in info.checkpoints)
    rates += f"; of {len(info.epochs)}" if len(info.checkpoints) < len(info.epochs) else ""
    named = (settings.get("columns") or {}).items()
    columns = [f"{role.replace('_', ' ')}: {name}" for role, name in named if name]
    layers = f", first {settings['num_hidden_layers']} layers" if settings.get("num_hidden_layers") else ""
    render.facts(
        [
            ("Training data", _source(info.train_source, info.n_train, info.train_sha256)),
            ("Test data", _source(info.test_source, info.n_test, info.test_sha256)),
            ("Columns", "; ".join(columns)),
            ("Model", _short_path(info.model) + layers),
            ("Training", trained),
            ("Checkpoints (learning rate)", rates),
            ("Index", f"top {info.top_k} positions, texts cut at {info.max_length} tokens, {settings.get('precision', 'fp32')}"),
            ("Versions", ", ".join(f"{name} {version}" for name, version in info.versions.items())),
        ]
    )


def _says_something(name: str, training: dict[str, Any]) -> bool:
    """Whether a setting of training was used, and is not as it always is."""
    value = training[name]
    if name == "momentum":
        return bool(training.get("optimizer") == "sgd")
    return not (name == "schedule" or value in (False, 0.0)) or name == "seed"


def _source(name: str, rows: int, sha256: str) -> str:
    return f"{_short_path(name)}: {rows:,} rows, sha256 {sha256[:12]}…"


def _short_path(name: str) -> str:
    """The last two parts of a path: enough to know it by, without the builder's folders."""
    parts = Path(name).parts
    return "/".join(parts[-2:]) if len(parts) > 2 else name
