"""Everything that has to be measured on a GPU, in under ten minutes: builds, queries and retraining on one card.

    python -m tests.benchmarks.gpu [--data DIR] [--device cuda] [--scale 1.0]

--data: a folder with train.csv and test.csv (text, label); default: texts made here. --scale: a part of the sizes, so that the
script itself can be tried on a CPU (`--device cpu --scale 0.002`). Weights are random, which does not change what is timed.
"""

import argparse
import csv
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPTNeoXConfig,
    GPTNeoXForSequenceClassification,
    PreTrainedModel,
)

from influence.attribution import METHODS, LiveQueries, WordIndex
from influence.attribution.live_model import LiveGradients
from influence.gradients import GradientSettings, WordGradients, first_alike
from influence.models import BATCH_TOKENS, model_inputs
from influence.models.encoding import common_tokens, length_buckets, pad
from influence.segments import IndexSettings, plan_segments, save_plan, write_segment
from tests.benchmarks.workload import Split, Workload, first, from_folder, synthetic

BERGSON = 83_000  # tokens a second, published for a model of 70 M weights
MNLI_ROWS, MNLI_CHECKPOINTS = 393_000, 3
TOP_K, REPEATS, QUERIES = 10, 3, 200
RETRAINED = 5_000  # rows of the workspace whose retrainings are timed
Arm = Callable[[PreTrainedModel, Split, torch.device, Path], None]


def main() -> None:
    """Read the options and measure one thing after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, PyTorch {torch.__version__}", flush=True)
    workload = from_folder(options.data) if options.data else synthetic(_scaled(55_000, options.scale), 500)
    builds(workload, device, options.scale)
    queries(workload, device, options.scale)
    if options.data:
        retraining(options.data, device, options.scale)
    else:
        print("retraining: needs --data")


def retraining(data: Path, device: torch.device, scale: float) -> None:
    """Fine-tunings an hour of the paper's CNN, one at a time and as one batched model; see `tests.benchmarks.retraining`."""
    with tempfile.TemporaryDirectory(prefix="wordtrace-gpu-") as name:
        train = Path(name) / "train.csv"
        with (
            (data / "train.csv").open(encoding="utf-8", newline="") as opened,
            train.open("w", encoding="utf-8", newline="") as part,
        ):
            csv.writer(part).writerows(islice(csv.reader(opened), 1 + _scaled(RETRAINED, scale)))
        workspace, run = str(Path(name) / "workspace"), [sys.executable, "-m"]
        build = ["influence", "build", "--train", str(train), "--workspace", workspace, "--model", "cnn", "--encoder", "none"]
        subprocess.run([*run, *build, "--device", device.type], check=True, stderr=subprocess.DEVNULL)
        timed = ["tests.benchmarks.retraining", "--workspace", workspace, "--device", device.type, "--together", "16,64,256"]
        subprocess.run([*run, *(timed if device.type == "cuda" else [*timed[:-1], "2"])], check=True)


def builds(workload: Workload, device: torch.device, scale: float) -> None:
    """Examples and tokens a second of the index beside forward and backward alone, on the same batches."""
    tokens = len(workload.train.encoding.tokens_R) / len(workload.train.encoding)
    for title, make, rows in (("BERT-base", bert_base, 16_000), ("70 M decoder (Pythia's shape)", pythia_70m, 32_000)):
        part = first(workload.train, min(_scaled(rows, scale), len(workload.train.encoding)))
        model, count = make(workload), len(part.encoding)
        with tempfile.TemporaryDirectory(prefix="wordtrace-gpu-") as name:
            floor, index = beside(model, part, device, Path(name))
        print(f"{title}: index {count / index:,.0f} examples/s ({count * tokens / index:,.0f} tokens/s);")
        print(f"  forward and backward alone {count / floor:,.0f} examples/s; ratio {index / floor:.3f}", flush=True)
        if make is bert_base:
            print(f"  MNLI's size (393,000 rows, 3 checkpoints): {MNLI_ROWS * MNLI_CHECKPOINTS * index / count:,.0f} s")
        else:
            print(f"  {count * tokens / index / BERGSON:.1f} times bergson's published {BERGSON:,} tokens/s")


def beside(model: PreTrainedModel, part: Split, device: torch.device, folder: Path) -> tuple[float, float]:
    """Median seconds of forward and backward alone, and of the index."""
    seconds: dict[Arm, list[float]] = {_floor: [], _index: []}
    for number in range(REPEATS + 1):
        for arm, taken in seconds.items():
            once = _seconds(partial(arm, model, part, device, folder), device)
            if number:
                taken.append(once)
    return float(np.median(seconds[_floor])), float(np.median(seconds[_index]))


def queries(workload: Workload, device: torch.device, scale: float) -> None:
    """A query's answer from the index on disk and from the card; both name the same examples."""
    part = first(workload.train, min(_scaled(55_000, scale), len(workload.train.encoding)))
    model, selection = bert_base(workload), METHODS["tracin-we-topk"].selection
    assert selection is not None
    with tempfile.TemporaryDirectory(prefix="wordtrace-gpu-") as name:
        folder = Path(name)
        _index(model, part, device, folder)
        special_V = np.zeros(len(workload.tokenizer), dtype=np.bool_)
        special_V[np.unique(part.encoding.tokens_R[part.encoding.special_R])] = True
        index = WordIndex(
            folder / "train",
            part.encoding,
            labels_N=part.labels_N,
            learning_rates_C=np.array([1e-2]),
            special_V=special_V,
            common_V=common_tokens(workload.tokenizer, len(workload.tokenizer)),
        )
        settings = GradientSettings(device=device)
        live = LiveGradients(lambda: [WordGradients(model, settings)], top_k=TOP_K)
        asked = LiveQueries(workload.test.encoding, workload.test.labels_N, lambda: live).several(
            list(range(min(QUERIES, len(workload.test.encoding))))
        )
        ranks = np.arange(len(part.labels_N))

        def answers() -> tuple[list[tuple[list[int], list[int]]], float]:
            found, times = [], []
            for query in asked:
                start = time.perf_counter()
                one = index.strongest(query, selection, ranks, 10)
                times.append(time.perf_counter() - start)
                found.append((one.proponents_E.tolist(), one.opponents_E.tolist()))
            return found, float(np.median(times))

        answers()
        here, cpu = answers()
        held = index.hold_on(device)
        answers()
        there, card = answers()
        print(f"query: p50 {1e3 * cpu:.2f} ms from the index, {1e3 * card:.2f} ms held on the device ({held=});")
        print(f"  same answers: {here == there}")


def bert_base(workload: Workload) -> PreTrainedModel:
    """BERT-base with random weights."""
    config = BertConfig(vocab_size=len(workload.tokenizer), num_labels=len(workload.labels), pad_token_id=workload.pad_token)
    return BertForSequenceClassification(config).eval()


def pythia_70m(workload: Workload) -> PreTrainedModel:
    """The shape of Pythia-70m, as a classifier, with random weights."""
    config = GPTNeoXConfig(
        vocab_size=50_304,
        hidden_size=512,
        num_hidden_layers=6,
        num_attention_heads=8,
        intermediate_size=2_048,
        num_labels=len(workload.labels),
        pad_token_id=workload.pad_token,
    )
    return GPTNeoXForSequenceClassification(config).eval()


def _index(model: PreTrainedModel, split: Split, device: torch.device, folder: Path) -> None:
    how = IndexSettings(top_k=TOP_K)
    shutil.rmtree(folder / "train", ignore_errors=True)
    (folder / "train").mkdir(parents=True)
    segments = plan_segments(split.encoding.lengths_N, model.get_input_embeddings().weight.shape[1], how)
    save_plan(folder / "train", segments)
    first_N = first_alike(split.encoding, split.labels_N)
    with WordGradients(model, GradientSettings(device=device)) as gradients:
        for segment in segments:
            at = folder / "train" / segment.name / "0"
            write_segment(gradients, split.encoding, split.labels_N, first_N, at, segment, settings=how)


def _floor(model: PreTrainedModel, split: Split, device: torch.device, _: Path) -> None:
    """Forward, and backward to the embedding's output, in the engine's batches; nothing kept."""
    leaves: list[torch.Tensor] = []

    def hook(_module: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        leaves.append(output.detach().requires_grad_(True))
        return leaves[-1]

    model = model.to(device).requires_grad_(False)
    handle = model.get_input_embeddings().register_forward_hook(hook)
    for examples_B in length_buckets(split.encoding.lengths_N, batch_tokens=BATCH_TOKENS[device.type]):
        logits_BY = model(**model_inputs(model, pad(split.encoding, examples_B, 0), device)).logits
        loss = F.cross_entropy(logits_BY, torch.from_numpy(split.labels_N[examples_B]).to(device), reduction="sum")
        torch.autograd.grad(loss, [leaves.pop()])
    handle.remove()


def _seconds(run: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _scaled(count: int, scale: float) -> int:
    return max(20, int(count * scale))


if __name__ == "__main__":
    main()
