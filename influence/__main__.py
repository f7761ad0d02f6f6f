"""The command line: `python -m influence COMMAND`. Results on stdout, progress on stderr, exit code 2 on bad input."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from influence import DEFAULT_METHOD, METHODS, Explanation, Influence, WordtraceError, __version__
from influence import all_scores as score_all
from influence import explain, open_workspace
from influence.errors import SettingsError
from influence.methods import SpecialTokens
from influence.progress import ProgressLine

SERVER = Path(__file__).parent.parent / "pages" / "shared" / "server.py"


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 bad input, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
        sys.stdout.flush()
    except WordtraceError as error:
        print(f"wordtrace: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("wordtrace: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): not an error, and Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="influence", description=__doc__)
    parser.add_argument("--version", action="version", version=f"wordtrace {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    demo = commands.add_parser("demo", help="build the demonstration workspace")
    demo.add_argument("--workspace", required=True, metavar="DIR")
    _add_device(demo)
    demo.set_defaults(run=_demo)

    _add_build(commands)

    query = commands.add_parser("query", help="explain one prediction")
    query.add_argument("--workspace", required=True, metavar="DIR")
    which = query.add_mutually_exclusive_group(required=True)
    which.add_argument("--test-id", metavar="ID", help="a test example")
    which.add_argument("--text", help="any text")
    query.add_argument("--text-pair", metavar="TEXT", help="the second text of a pair")
    query.add_argument("--label", help="explain the loss on this label (default: the given, else the predicted one)")
    _add_method(query)
    query.add_argument("--special-tokens", choices=get_args(SpecialTokens), default="include", help="start and end tokens")
    query.add_argument("--top", type=int, default=10, metavar="N", help="proponents and opponents (default 10)")
    query.add_argument("--json", action="store_true", help="print JSON")
    query.set_defaults(run=_query)

    scores = commands.add_parser("scores", help="write the score of every training example for one test example")
    scores.add_argument("--workspace", required=True, metavar="DIR")
    scores.add_argument("--test-id", required=True, metavar="ID")
    _add_method(scores)
    scores.add_argument("--output", required=True, metavar="FILE.parquet")
    scores.set_defaults(run=_scores)

    serve = commands.add_parser("serve", help="serve the app behind a content-security policy")
    serve.add_argument("--workspace-root", default="workspaces", metavar="DIR", help="folder of workspaces (default: workspaces)")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8501, metavar="N")
    serve.set_defaults(run=_serve)
    return parser


def _add_build(commands: Any) -> None:
    build = commands.add_parser("build", help="train or import a model and index its gradients")
    data = build.add_argument_group("data (CSV, TSV, JSONL, Parquet, a datasets folder or Hub id)")
    data.add_argument("--train", required=True, metavar="FILE")
    data.add_argument("--test", required=True, metavar="FILE")
    data.add_argument("--workspace", required=True, metavar="DIR")
    data.add_argument("--text", default="text", metavar="COL")
    data.add_argument("--text-pair", metavar="COL", help="column of the second text of a pair")
    data.add_argument("--label", default="label", metavar="COL")
    data.add_argument("--id", metavar="COL", help="column of stable ids (default: row number from 0)")
    model = build.add_argument_group("model")
    model.add_argument("--model", default="cnn", metavar="ID_OR_FOLDER|cnn", help="default: cnn, the paper's, trained from scratch")
    model.add_argument("--num-hidden-layers", type=int, metavar="N", help="keep the first N layers")
    model.add_argument("--checkpoints", metavar="TRAINER_FOLDER", help="import a Hugging Face Trainer's output instead of training")
    model.add_argument("--epochs", type=int, metavar="N")
    model.add_argument("--learning-rate", type=float, metavar="X")
    model.add_argument("--optimizer", choices=["sgd", "adamw"])
    model.add_argument("--batch-size", type=int, metavar="N")
    model.add_argument("--max-length", type=int, default=128, metavar="N", help="tokens a text is cut at (default 128)")
    model.add_argument("--seed", type=int, metavar="N", help="default 0")
    index = build.add_argument_group("index")
    index.add_argument("--top-k", type=int, default=10, metavar="N", help="positions kept by tracin-we-topk (default 10)")
    index.add_argument(
        "--index", choices=["all", "top-k"], default="all", help="top-k: store no other positions; smaller, but tracin-we, -noc and -common need all"
    )
    index.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="bf16: autocast on CUDA")
    _add_device(build)
    build.add_argument("--resume", action="store_true", help="continue an interrupted build of the same request")
    build.set_defaults(run=_build)


def _add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")


def _add_method(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--method", default=DEFAULT_METHOD, metavar="M", help=f"one of {', '.join(METHODS)} (default {DEFAULT_METHOD})")


def _demo(options: argparse.Namespace) -> None:
    from influence.demo import build_demo

    with ProgressLine(sys.stderr) as progress:
        info = build_demo(options.workspace, device=options.device, progress=progress)
    _print_built(options.workspace, info)


def _build(options: argparse.Namespace) -> None:
    from influence.build import BuildRequest, build_workspace, training_settings
    from influence.dataset import Columns

    given = {name: getattr(options, name) for name in ("epochs", "learning_rate", "optimizer", "batch_size", "seed")}
    if options.checkpoints is not None and (extra := [name for name, value in given.items() if value is not None]):
        raise SettingsError(f"--{extra[0].replace('_', '-')} is a setting of training; it does not go with --checkpoints")
    request = BuildRequest(
        train=options.train,
        test=options.test,
        columns=Columns(text=options.text, text_pair=options.text_pair, label=options.label, id=options.id),
        model=options.model,
        num_hidden_layers=options.num_hidden_layers,
        checkpoints=options.checkpoints,
        training=None if options.checkpoints is not None else training_settings(options.model, **given),
        max_length=options.max_length,
        top_k=options.top_k,
        store_rest=options.index == "all",
        bf16=options.precision == "bf16",
    )
    with ProgressLine(sys.stderr) as progress:
        info = build_workspace(
            options.workspace, request, device=options.device, resume=options.resume, progress=progress
        )
    _print_built(options.workspace, info)


def _print_built(workspace: str, info: Any) -> None:
    for warning in info.warnings:
        print(f"note: {warning}", file=sys.stderr)
    print(
        f"{workspace}: {info.n_train:,} training and {info.n_test:,} test examples, {len(info.labels)} labels, "
        f"{len(info.checkpoints)} checkpoints, test accuracy {info.accuracy:.1%}, "
        f"built in {info.seconds:.0f} s, {info.bytes / 1e6:,.0f} MB"
    )


def _query(options: argparse.Namespace) -> None:
    workspace = open_workspace(options.workspace)
    found = explain(
        workspace,
        test_id=options.test_id,
        text=options.text,
        text_pair=options.text_pair,
        label=options.label,
        method=options.method,
        top=options.top,
        special_tokens=options.special_tokens,
    )
    print(json.dumps(_as_json(found), ensure_ascii=False) if options.json else _as_text(found))


def _as_json(found: Explanation) -> dict[str, Any]:
    query = found.query
    return {
        "query": {
            "id": query.id,
            "text": query.text,
            **({"text_pair": query.text_pair} if query.text_pair is not None else {}),
            "label": found.label,
            "predicted": query.predicted,
            "probabilities": query.probabilities,
        },
        "method": found.method,
        "proponents": [_influence_as_json(influence, found) for influence in found.proponents],
        "opponents": [_influence_as_json(influence, found) for influence in found.opponents],
    }


def _influence_as_json(influence: Influence, found: Explanation) -> dict[str, Any]:
    train = influence.train
    return {
        "train_id": train.id,
        "score": influence.score,
        "label": train.label,
        "predicted": train.predicted,
        "text": train.text,
        **({"text_pair": train.text_pair} if train.text_pair is not None else {}),
        "words": [
            {"word": found.query.words[word].text, "score": score}
            for word, score in sorted(influence.test_words().items(), key=lambda item: -abs(item[1]))
        ],
    }


def _as_text(found: Explanation) -> str:
    query = found.query
    lines = [
        f"{query.id or 'typed text'}: {_one_line(query)}",
        f"predicted {query.predicted} ({query.probabilities[query.predicted]:.1%}); explaining the loss on {found.label} by {found.method}",
    ]
    for title, influences in (("proponents", found.proponents), ("opponents", found.opponents)):
        lines += ["", f"{title}:" if influences else f"{title}: none"]
        for influence in influences:
            words = sorted(influence.test_words().items(), key=lambda item: -abs(item[1]))[:5]
            shown = ", ".join(f"{found.query.words[word].text} {score:+.3g}" for word, score in words)
            lines.append(f"  {influence.score:+.4g}  {influence.train.id}  [{influence.train.label}]  {_one_line(influence.train)}")
            if shown:
                lines.append(f"      {shown}")
    return "\n".join(lines)


def _one_line(sentence: Any) -> str:
    return " ".join(" | ".join(filter(None, (sentence.text, sentence.text_pair))).split())


def _scores(options: argparse.Namespace) -> None:
    output = Path(options.output)
    if output.suffix.lower() != ".parquet":
        raise SettingsError(f"--output {options.output!r}: the file's name must end in .parquet")
    if not output.parent.is_dir():
        raise SettingsError(f"--output {options.output!r}: there is no folder {str(output.parent)!r}")
    scores = score_all(open_workspace(options.workspace), test_id=options.test_id, method=options.method)
    # Written beside the target and renamed, so that a full disk or a kill leaves no half a file under that name.
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        try:
            scores.to_parquet(Path(folder) / "scores.parquet", index=False)
            os.replace(Path(folder) / "scores.parquet", output)
        except OSError as error:
            raise SettingsError(f"--output {options.output!r} cannot be written: {error.strerror or error}") from error
    print(f"{output}: {len(scores):,} scores")


def _serve(options: argparse.Namespace) -> None:
    command = [sys.executable, str(SERVER), "--workspace-root", options.workspace_root]
    command += ["--host", options.host, "--port", str(options.port)]
    # A process of its own: the engine knows nothing of the app, and the app's server wants the main thread.
    raise SystemExit(subprocess.call(command))


if __name__ == "__main__":
    sys.exit(main())
