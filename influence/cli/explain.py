"""The commands that ask a workspace something: query, scores and cancellation."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, get_args

from influence import explanations, workspace
from influence.attribution import DEFAULT_METHOD, METHOD_NAMES, MethodSettings, SpecialTokens
from influence.cli.options import add_json, command, path, print_answer, records
from influence.cli.progress import ProgressLine
from influence.errors import SettingsError

SHOWN_WORDS = 5


def add(commands: Any) -> None:
    """Register the commands."""
    query = command(commands, "query", _query, "explain one prediction")
    which = query.add_mutually_exclusive_group(required=True)
    which.add_argument("--test-id", metavar="ID", help="a test example")
    which.add_argument("--text", help="any text")
    query.add_argument("--text-pair", metavar="TEXT", help="the second text of a pair")
    query.add_argument("--label", help="explain the loss on this label (default: the given, else the predicted one)")
    _add_method(query)
    query.add_argument("--special-tokens", choices=get_args(SpecialTokens), default="include", help="start and end tokens")
    query.add_argument("--top", type=int, default=10, metavar="N", help="proponents and opponents (default 10)")
    add_json(query)

    scores = command(commands, "scores", _scores, "write the score of every training example for one test example")
    scores.add_argument("--test-id", required=True, metavar="ID")
    _add_method(scores)
    scores.add_argument("--output", type=path, required=True, metavar="FILE.parquet")

    about = "how much training gradients cancel out, layer by layer"
    add_json(command(commands, "cancellation", _cancellation, about))


def _add_method(parser: argparse.ArgumentParser) -> None:
    usual = MethodSettings()
    about = f"one of {', '.join(METHOD_NAMES)} (default {DEFAULT_METHOD})"
    parser.add_argument("--method", default=DEFAULT_METHOD, metavar="M", help=about)
    about = "put the biases in, for methods on layers (left out as in the paper)"
    parser.add_argument("--with-bias", action="store_true", help=about)
    about = f"of influence-last and -second: weight of the penalty damping/2 |W|^2 on the mean loss (default {usual.damping})"
    parser.add_argument("--damping", type=float, default=usual.damping, metavar="X", help=about)
    about = f"of representer: weight of the penalty l2 |W|^2 on the mean loss, which scales the values (default {usual.l2})"
    parser.add_argument("--l2", type=float, default=usual.l2, metavar="X", help=about)


def _settings(options: argparse.Namespace) -> MethodSettings:
    return MethodSettings(with_bias=options.with_bias, damping=options.damping, l2=options.l2)


def _query(options: argparse.Namespace) -> None:
    with ProgressLine(sys.stderr) as progress:
        found = explanations.explain(
            workspace.read_workspace(options.workspace),
            test_id=options.test_id,
            text=options.text,
            text_pair=options.text_pair,
            label=options.label,
            method=options.method,
            top=options.top,
            special_tokens=options.special_tokens,
            settings=_settings(options),
            progress=progress,
        )
    print_answer(options, found, _as_json, _as_text)


def _as_json(found: explanations.Explanation) -> dict[str, Any]:
    query = found.query
    return {
        "query": {
            "id": query.id,
            **_texts(query),
            "label": found.label,
            "predicted": query.predicted,
            "probabilities": query.probabilities,
        },
        "method": found.method,
        "proponents": [_influence_as_json(influence, found) for influence in found.proponents],
        "opponents": [_influence_as_json(influence, found) for influence in found.opponents],
    }


def _influence_as_json(influence: explanations.Influence, found: explanations.Explanation) -> dict[str, Any]:
    train = influence.train
    return {
        "train_id": train.id,
        "score": influence.score,
        "label": train.label,
        "predicted": train.predicted,
        **_texts(train),
        "words": [{"word": found.query.words[word].text, "score": score} for word, score in _strongest_words(influence)],
    }


def _texts(sentence: explanations.Sentence) -> dict[str, str]:
    return {"text": sentence.text, **({} if sentence.text_pair is None else {"text_pair": sentence.text_pair})}


def _strongest_words(influence: explanations.Influence) -> list[tuple[int, float]]:
    return sorted(influence.test_words().items(), key=lambda item: -abs(item[1]))


def _as_text(found: explanations.Explanation) -> str:
    query = found.query
    probability = query.probabilities[query.predicted]
    lines = [
        f"{query.id or 'typed text'}: {_one_line(query)}",
        f"predicted {query.predicted} ({probability:.1%}); explaining the loss on {found.label} by {found.method}",
    ]
    for title, influences in (("proponents", found.proponents), ("opponents", found.opponents)):
        lines += ["", f"{title}:" if influences else f"{title}: none"]
        for influence in influences:
            train = influence.train
            lines.append(f"  {influence.score:+.4g}  {train.id}  [{train.label}]  {_one_line(train)}")
            words = _strongest_words(influence)[:SHOWN_WORDS]
            if words:
                lines.append("      " + ", ".join(f"{query.words[word].text} {score:+.3g}" for word, score in words))
    return "\n".join(lines)


def _one_line(sentence: explanations.Sentence) -> str:
    return " ".join(" | ".join(filter(None, (sentence.text, sentence.text_pair))).split())


def _scores(options: argparse.Namespace) -> None:
    from influence.files import write_output

    output = Path(options.output)
    if output.suffix.lower() != ".parquet":
        raise SettingsError(f"--output {options.output!r}: the file's name must end in .parquet")
    if not output.parent.is_dir():
        raise SettingsError(f"--output {options.output!r}: there is no folder {str(output.parent)!r}")
    with ProgressLine(sys.stderr) as progress:
        scores = explanations.all_scores(
            workspace.read_workspace(options.workspace),
            test_id=options.test_id,
            method=options.method,
            settings=_settings(options),
            progress=progress,
        )
    write_output(output, scores.to_parquet(index=False), name=f"--output {options.output!r}")
    print(f"{output}: {len(scores):,} scores")


def _cancellation(options: argparse.Namespace) -> None:
    with ProgressLine(sys.stderr) as progress:
        explanations.write_cancellation(options.workspace, progress=progress)
    table = explanations.cancellation_table(workspace.read_workspace(options.workspace))
    assert table is not None
    print_answer(options, records(table), list, _cancellation_as_text)


def _cancellation_as_text(rows: list[dict[str, Any]]) -> str:
    lines = [f"{'layer':<28}{'role':<8}{'part':<8}{'parameters':>12}{'G':>12}{'change':>12}{'ratio':>10}{'cosine':>9}"]
    for row in rows:
        numbers = f"{row['parameters']:>12,}{row['gradient']:>12.4g}{row['change']:>12.4g}"
        parts = f"{_number(row['ratio'], '.4g'):>10}{_number(row['cosine'], '+.3f'):>9}"
        lines.append(f"{row['layer']:<28}{row['role']:<8}{row['part']:<8}{numbers}{parts}")
    return "\n".join(lines)


def _number(value: float | None, format: str) -> str:
    return "-" if value is None else f"{value:{format}}"
