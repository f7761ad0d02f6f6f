"""The commands that make a workspace: demo and build."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from influence import clusters, data, experiments, fixes, indexing, opinion_files, opinions, suspects, workspace
from influence.checkpoints import MOST_CHECKPOINTS
from influence.cli.manage import comparison_in_words
from influence.cli.options import (
    DATA,
    add_device,
    add_encoder,
    add_form,
    add_opinions,
    add_sharing,
    add_workspace,
    check_sharing,
    chosen_engine,
    chosen_model,
    command,
    form_options,
    print_notes,
)
from influence.cli.progress import ProgressLine, after_notes, size_in_words
from influence.cli.suspects import no_encoder
from influence.data import DEFAULT_SHARE, MOST_TEST, Preparation
from influence.errors import SettingsError
from influence.models import CNN, ENCODER_LAYERS, SMALL_DATA
from influence.review import POLICIES

if TYPE_CHECKING:
    from influence.types import Progress

TRAINING = (  # its settings, as options
    *("epochs", "learning_rate", "optimizer", "momentum", "weight_decay", "batch_size", "seed", "freeze_embedding"),
)
PROGRESS_EVERY = 2.0  # seconds, in a log


def add(commands: Any) -> None:
    """Register the commands."""
    add_device(command(commands, "demo", _demo, "build the demonstration workspace"))

    about = "train or import a model and index its gradients"
    build = command(commands, "build", _build, about, workspace=False)
    _add_data(build.add_argument_group(DATA))
    _add_model(build.add_argument_group("model"))
    _add_index(build.add_argument_group("index"))
    add_device(build)
    add_encoder(build)
    add_opinions(build)
    _add_again(build.add_argument_group("the loop"))
    build.set_defaults(parser=build)
    add_sharing(build.add_argument_group("on several machines"))
    build.add_argument("--resume", action="store_true", help="continue an interrupted build of the same request")


def _add_data(group: Any) -> None:
    group.add_argument("--train", metavar="FILE", help="needed but with --with-fixes")
    group.add_argument("--test", metavar="FILE", help="default: a part of --train is set aside, see --test-share")
    add_workspace(group)
    group.add_argument("--text", default="text", metavar="COL")
    group.add_argument("--text-pair", metavar="COL", help="column of the second text of a pair")
    group.add_argument("--label", default="label", metavar="COL")
    group.add_argument("--id", metavar="COL", help="column of stable ids (default: row number from 0)")
    add_form(group)
    about = f"without --test: part of each label's rows to test on, at most {MOST_TEST:,} in all (default {DEFAULT_SHARE})"
    group.add_argument("--test-share", type=float, metavar="X", help=about)
    about = "leave out rows without a text or a label, and test rows whose label training never has"
    group.add_argument("--drop-unusable", action="store_true", help=about)
    about = "give labels that look alike (but for capitals, spaces, unseen characters) the spelling that occurs most"
    group.add_argument("--merge-labels", action="store_true", help=about)


def _add_again(group: Any) -> None:
    about = (
        "build --workspace again, as a new workspace beside it: the same data, settings and test part, the decided fixes made in "
        "the training data, decisions and queues carried over; says what became better and worse"
    )
    group.add_argument("--with-fixes", action="store_true", help=about)
    group.add_argument("--as", metavar="NAME", dest="name", help="of the new workspace (default: NAME-2, NAME-3, …)")
    about = "what settles a disagreement that no adjudicator has settled (default: majority)"
    group.add_argument("--policy", choices=POLICIES, help=about)


def _add_model(model: Any) -> None:
    about = (
        f"default: MiniLM's first {ENCODER_LAYERS} layers for at most {SMALL_DATA:,} English training examples, where "
        "the demo's packages are installed; else cnn, the paper's, trained from scratch"
    )
    model.add_argument("--model", metavar="ID_OR_FOLDER|cnn", help=about)
    model.add_argument("--num-hidden-layers", type=int, metavar="N", help="keep the first N layers")
    about = "import a Hugging Face Trainer's output instead of training"
    model.add_argument("--checkpoints", metavar="TRAINER_FOLDER", help=about)
    about = "default: 3; for the CNN 5 to 15, the more the smaller the data"
    model.add_argument("--epochs", type=int, metavar="N", help=about)
    model.add_argument("--learning-rate", type=float, metavar="X", help="default: 1e-4; for the CNN 2e-2")
    model.add_argument("--optimizer", choices=["sgd", "adamw"], help="default: adamw; for the CNN sgd, as in the paper")
    model.add_argument("--momentum", type=float, metavar="X", help="of sgd, from 0 to below 1 (default 0.9, as in the paper)")
    about = "of sgd an L2 penalty on the weights, of adamw decoupled from the gradient (default 0)"
    model.add_argument("--weight-decay", type=float, metavar="X", help=about)
    model.add_argument("--batch-size", type=int, metavar="N", help="default: 32")
    model.add_argument("--max-length", type=int, default=128, metavar="N", help="tokens a text is cut at (default 128)")
    model.add_argument("--seed", type=int, metavar="N", help="default 0")
    about = "keep AdamW's moments of the word embedding beside each checkpoint, for --method tracin-we-adam"
    model.add_argument("--keep-optimizer", action="store_true", help=about)
    about = "leave the word embedding as it began, here and in every retraining (the paper's no-word-overlap experiment)"
    model.add_argument("--freeze-embedding", action="store_true", default=None, help=about)


INDEXES: dict[str, dict[str, Any]] = {
    "top-k": {},
    "all": {"store_rest": True},
    "exact": {"store_rest": True, "exact": True},
}  # what each stores


def _add_index(index: Any) -> None:
    index.add_argument("--top-k", type=int, default=10, metavar="N", help="positions kept by tracin-we-topk (default 10)")
    about = "top-k (default): rows of those positions in two int8 planes; all: of every position; exact: of every one in float32"
    index.add_argument("--index", choices=list(INDEXES), default="top-k", help=about)
    about = "checkpoints scores are summed over, spread over the fall of the training loss, the last among them (default 4)"
    index.add_argument("--max-checkpoints", type=int, default=MOST_CHECKPOINTS, metavar="N", help=about)
    about = "bf16: autocast on CUDA; faster, and scores are off by 3 to 13 %% of the largest one (default fp32)"
    index.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help=about)


def _demo(options: argparse.Namespace) -> None:
    with ProgressLine(sys.stderr) as progress:
        info = workspace.build_demo(options.workspace, device=options.device, progress=progress)
        _rank_suspects(options.workspace, None, options.device, progress)
    _print_built(options.workspace, info)


def _build(options: argparse.Namespace) -> None:
    if options.with_fixes:
        _build_again(options)
        return
    given = {name: getattr(options, name) for name in TRAINING}
    _check_options(options, given)
    columns = data.Columns(text=options.text, text_pair=options.text_pair, label=options.label, id=options.id)
    place = Path(options.workspace)
    read = data.read_splits(options.train, options.test, columns, _preparation(options), form_options(options), near=place)
    notes = [f"{source!r} is read as {form}" for source, form in read.forms.items()]
    notes += opinion_files.check_files(options.opinions, read.train)
    if options.checkpoints is None:
        model, layers, note = chosen_model(options, read.train.texts)
    else:
        model, layers, note = options.model or CNN, options.num_hidden_layers, None
    notes += [] if note is None else [note]
    request = workspace.BuildRequest(
        train=options.train,
        test=options.test,
        columns=columns,
        form=form_options(options),
        preparation=_preparation(options),
        model=model,
        num_hidden_layers=layers,
        checkpoints=options.checkpoints,
        training=None if options.checkpoints is not None else workspace.training_settings(model, **given),
        max_length=options.max_length,
        top_k=options.top_k,
        max_checkpoints=options.max_checkpoints,
        **INDEXES[options.index],
        bf16=options.precision == "bf16",
        keep_optimizer=options.keep_optimizer,
    )
    (_build_whole if options.shard is None else _build_shard)(options, request, read, notes)


def _build_whole(options: argparse.Namespace, request: workspace.BuildRequest, read: data.Splits, notes: list[str]) -> None:
    with chosen_engine(options) as engine, ProgressLine(sys.stderr, every=PROGRESS_EVERY) as progress:
        info = workspace.build_workspace(
            options.workspace,
            request,
            read,
            device=options.device,
            resume=options.resume,
            join=options.join,
            engine=engine,
            progress=after_notes(notes, progress),
        )
        with workspace.opened(Path(options.workspace)) as built:
            opinion_files.add_files(built, options.opinions)
            if read.voices:
                opinion_files.add_rows(built, read.voices, source=options.train, drop_unusable=True)
        _rank_suspects(options.workspace, options.encoder, options.device, progress)
    _print_built(options.workspace, info)


def _check_options(options: argparse.Namespace, given: dict[str, Any]) -> None:
    """Refuse options that do not go together, and an encoder that is not there: now, and not after hours of training."""
    for name in ("name", "policy"):
        if getattr(options, name) is not None:
            raise SettingsError(f"--{'as' if name == 'name' else name} goes with --with-fixes")
    check_sharing(options)
    if options.train is None:
        options.parser.error("the following arguments are required: --train")
    if options.checkpoints is not None and (extra := [name for name, value in given.items() if value is not None]):
        raise SettingsError(f"--{extra[0].replace('_', '-')} is a setting of training; it does not go with --checkpoints")
    if options.encoder is not None:
        opinions.check_encoder(options.encoder)


def _build_shard(options: argparse.Namespace, request: workspace.BuildRequest, read: data.Splits, notes: list[str]) -> None:
    """`build --shard`: a part of the index, which nobody sees until `--join`."""
    shard = indexing.Shard.parse(options.shard)
    with ProgressLine(sys.stderr, every=PROGRESS_EVERY) as progress:
        made = workspace.build_shard(
            options.workspace, request, shard, read, device=options.device, progress=after_notes(notes, progress)
        )
    if made is None:
        print(f"{options.workspace}: built and joined already, there is nothing left for shard {shard}")
        return
    counts = " and ".join(f"{len(names):,} {split}" for split, names in made.segments.items())
    print(
        f"{options.workspace}: shard {shard} has made its segments ({counts}) in {made.seconds:.0f} s; "
        "when all shards have, run the same command with --join instead of --shard"
    )


def _build_again(options: argparse.Namespace) -> None:
    """`build --with-fixes`: everything but where, and on what, comes from the workspace."""
    own = {"workspace", "with_fixes", "name", "policy", "device", "encoder", "resume", "run", "parser"}
    changed = [name for name in vars(options) if name not in own and getattr(options, name) != options.parser.get_default(name)]
    if changed:
        option = f"--{changed[0].replace('_', '-')}"
        raise SettingsError(f"{option}: --with-fixes takes the data and the settings from --workspace; leave it out")
    with workspace.opened(Path(options.workspace)) as before:
        policy, usual = options.policy or "majority", suspects.usual_settings(before)
        again = fixes.prepare(before, options.name, policy=policy, resume=options.resume)
        told = (
            f"{again.target}: {', '.join(f'{count:,} {action}' for action, count in again.counts.items())} in the training data"
        )
        with ProgressLine(sys.stderr, every=PROGRESS_EVERY) as progress:
            noted = after_notes([told], progress)
            info = fixes.build_again(before, again, device=options.device, resume=options.resume, progress=noted)
            settings = usual if options.encoder is None else replace(usual, encoder=options.encoder)
            suspects.write_suspects(str(again.target), settings, device=options.device, progress=progress)
            clusters.write_clusters(str(again.target), progress=progress)
        _print_built(str(again.target), info)
        with workspace.opened(again.target) as after:
            print(comparison_in_words(experiments.compare(before, after)))


def _preparation(options: argparse.Namespace) -> Preparation:
    share = options.test_share
    if options.test is not None and share is not None:
        raise SettingsError("--test-share sets a part of --train aside; it does not go with --test")
    return Preparation(
        drop_unusable=options.drop_unusable,
        merge_labels=options.merge_labels,
        test_share=DEFAULT_SHARE if share is None else share,
        seed=options.seed or 0,
    )


def _rank_suspects(path: str, encoder: str | None, device: str, progress: Progress) -> None:
    """Rank the suspects and cluster the difficult ones; where the build was there already, with the ranking's settings."""
    with workspace.opened(Path(path)) as built:
        usual = suspects.usual_settings(built)
    settings = usual if encoder is None else replace(usual, encoder=encoder)
    suspects.write_suspects(path, settings, device=device, progress=progress)
    clusters.write_clusters(path, progress=progress)


def _notes(path: str, info: workspace.WorkspaceInfo) -> list[str]:
    """What the build found out that its user should know."""
    made_from = suspects.provenance(workspace.read_workspace(path))
    turned = workspace.turned_labels(path)
    planted = [
        f"{len(turned)} of the {info.n_train:,} training labels were turned on purpose, to be found; which, says data/turned.csv"
    ]
    return [
        *(planted if turned else []),
        *info.warnings,
        *no_encoder(made_from),
        *suspects.weak_model(info.accuracy, made_from["baseline"]),
    ]


def _print_built(path: str, info: workspace.WorkspaceInfo) -> None:
    print_notes(_notes(path, info))
    print(
        f"{path}: {info.n_train:,} training and {info.n_test:,} test examples, {len(info.labels)} labels, "
        f"{len(info.checkpoints)} checkpoints, test accuracy {info.accuracy:.1%}, "
        f"built in {info.seconds:.0f} s"
    )
    print(f"{path}: {size_in_words(workspace.disk_use(Path(path)))}")
