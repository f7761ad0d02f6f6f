"""A workspace in a few lines of Python: what the command line and the app give, as pandas frames.

Sign: a score above 0 is a proponent (training on it lowered the loss on the explained label), below 0 an opponent.
"""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from influence.attribution import DEFAULT_METHOD, SpecialTokens
from influence.candidates import DEFAULT_TOP
from influence.cards import CardFrame
from influence.checkpoints import MOST_CHECKPOINTS
from influence.clusters import DEFAULT_MIN_SIZE, DEFAULT_THRESHOLD, Cluster, clusters
from influence.data import Columns, Preparation
from influence.errors import QueryError
from influence.explanations import APART, COMMON, TOKEN, MistakeFilter, all_scores, explain, words
from influence.fixes import Fix, fix_list
from influence.reading import FormOptions
from influence.review import has_reviews, read_reviews
from influence.suspects import has_suspects, suspects
from influence.types import Progress, silent
from influence.workspace import TestFilter, WorkspaceReader, published_build

if TYPE_CHECKING:
    from influence.workspace import BuildRequest


class Workspace(WorkspaceReader):
    """A workspace, opened for reading, that answers in pandas frames.

    >>> from influence import Workspace
    >>> workspace = Workspace.open("workspaces/demo")      # doctest: +SKIP
    >>> workspace.explain("a dull film", top=3)            # doctest: +SKIP
    """

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open the published build. Raises `WorkspaceMissing`, `WorkspaceNewer` or, for a damaged one, `WorkspaceError`."""
        return cls(*published_build(Path(path)))

    @classmethod
    def create(
        cls,
        path: str | Path,
        *,
        train: str | Path,
        test: str | Path | None = None,  # None: a part of `train` is set aside
        text: str = "text",
        text_pair: str | None = None,
        label: str = "label",
        id: str | None = None,
        form: FormOptions | None = None,
        preparation: Preparation | None = None,
        model: str = "cnn",
        num_hidden_layers: int | None = None,
        checkpoints: str | Path | None = None,  # a Trainer's output folder, imported instead of training
        max_length: int = 128,
        top_k: int = 10,
        max_checkpoints: int = MOST_CHECKPOINTS,  # that scores are summed over, spread over the fall of the training loss
        device: str = "auto",
        resume: bool = False,
        progress: Progress = silent,
        **training: Any,
    ) -> Self:
        """Build a workspace as `python -m influence build` does, and open it.

        `training` takes epochs, learning_rate, optimizer, batch_size and seed. Raises a `WordtraceError` for what makes no build.
        """
        from influence.workspace import BuildRequest, training_settings

        request = BuildRequest(
            train=str(train),
            test=None if test is None else str(test),
            columns=Columns(text=text, text_pair=text_pair, label=label, id=id),
            form=form or FormOptions(),
            preparation=preparation or Preparation(),
            model=model,
            num_hidden_layers=num_hidden_layers,
            checkpoints=None if checkpoints is None else str(checkpoints),
            training=None if checkpoints is not None else training_settings(model, **training),
            max_length=max_length,
            top_k=top_k,
            max_checkpoints=max_checkpoints,
        )
        return cls._built(path, request, device=device, resume=resume, progress=progress)

    @classmethod
    def _built(cls, path: str | Path, request: "BuildRequest", **how: Any) -> Self:
        """Build what is asked for; what several annotators said becomes opinions."""
        from influence.data import read_splits
        from influence.opinion_files import add_rows
        from influence.workspace import build_workspace

        read = read_splits(request.train, request.test, request.columns, request.preparation, request.form, near=Path(path))
        build_workspace(path, request, read, **how)
        made = cls.open(path)
        if read.voices:
            add_rows(made, read.voices, source=request.train, drop_unusable=True)
        return made

    def explain(
        self,
        text: str | None = None,
        *,
        text_pair: str | None = None,
        test_id: str | None = None,
        train_id: str | None = None,
        label: str | None = None,
        method: str = DEFAULT_METHOD,
        top: int = 10,
        special_tokens: SpecialTokens = "include",
    ) -> pd.DataFrame:
        """The strongest proponents (largest score first), then the strongest opponents (most negative first).

        Columns and attributes are those of `Explanation.to_frame`. Raises `QueryError` as `influence.explain` does.
        """
        explanation = explain(
            self,
            test_id=test_id,
            train_id=train_id,
            text=text,
            text_pair=text_pair,
            label=label,
            method=method,
            top=top,
            special_tokens=special_tokens,
        )
        return explanation.to_frame()

    def scores(self, test_id: str, *, method: str = DEFAULT_METHOD) -> pd.DataFrame:
        """Columns train_id, score: every training example, in the data's order. Raises `QueryError` for what is unknown."""
        return all_scores(self, test_id=test_id, method=method)

    def tests(self, filter: TestFilter | None = None, *, top: int | None = None) -> pd.DataFrame:
        """Columns id, texts, label, predicted, confidence, wrong: the test examples that match, wrong ones first."""
        limit = self.info.n_test if top is None else top
        return self.search_tests(filter or TestFilter(), limit=limit)[1]

    def suspects(self, top: int = 100, *, models: int | None = None, progress: Progress = silent) -> pd.DataFrame:
        """The training examples most likely mislabelled, with suggested_label, suspicion (0 to 1), reason and every signal.

        `models` trains that many held-out models first, where they are not there yet, as one more opinion (a multiple of 5;
        0: none); None takes the ranking there is. Raises `QueryError` for a top below 1.
        """
        if top < 1:
            raise QueryError(f"top={top}: must be 1 or more")
        if models is not None or not has_suspects(self):
            from influence.opinions import HeldOutSettings
            from influence.suspects import usual_settings, write_suspects

            settings = usual_settings(self)
            if models is not None:
                settings = replace(settings, held_out=HeldOutSettings(models=models))
            write_suspects(self.path, settings, progress=progress)
        return CardFrame(suspects(self, limit=top)[1])

    def clusters(
        self, *, threshold: float = DEFAULT_THRESHOLD, min_size: int = DEFAULT_MIN_SIZE, progress: Progress = silent
    ) -> pd.DataFrame:
        """Difficult examples that share a cause, those first whose labels are doubted most.

        Columns are the fields of `Cluster`: number, words (its name), size, height, counts of labels, contradicted,
        train_ids, doubt, mistakes, mistake_pull, start_end_share.

        The dendrogram is computed the first time. Raises `QueryError` for a cut that cannot be.
        """
        from influence.clusters import write_clusters

        self.suspects(top=1)
        write_clusters(self.path, progress=progress)
        found = clusters(self, threshold=threshold, min_size=min_size)
        return pd.DataFrame([vars(one) for one in found], columns=list(Cluster.__dataclass_fields__))

    def candidates(
        self,
        file: str | Path,
        *,
        test_ids: Collection[str] = (),
        mistake_label: str | None = None,
        mistake_predicted: str | None = None,
        text: str | None = None,
        text_pair: str | None = None,
        label: str | None = None,
        id: str | None = None,
        unlabelled: bool = False,
        method: str = DEFAULT_METHOD,
        rank: str = "influence",
        top: int = DEFAULT_TOP,
        progress: Progress = silent,
    ) -> pd.DataFrame:
        """New rows ranked by how much a step on each would lower the loss of the wrong test predictions, or of `test_ids`.

        `mistake_label` and `mistake_predicted` choose among the wrong predictions; columns that are not named are the
        workspace's own, else guessed. The columns are those of `influence.candidates.Candidates`; `words` and the mistake that a
        row helps most are there for the first `top`. `frame.attrs` says how many test sentences were to be helped (tests) and
        what was read and left out (notes). Raises `DataError` for a file that cannot be used, `QueryError` for what is unknown.
        """
        from influence.candidates import CandidateSettings, Role, rank_candidates

        chosen = {"label": mistake_label, "predicted": mistake_predicted}
        settings = CandidateSettings(test_ids=tuple(test_ids), **chosen, method=method, rank=rank, top=top)
        role = Role(text=text, text_pair=text_pair, label=label, id=id, unlabelled=unlabelled)
        found = rank_candidates(self, file, settings, role=role, progress=progress)
        found.frame.attrs = {"tests": found.tests, "notes": found.notes}
        return found.frame

    def words(
        self, *, label: str | None = None, predicted: str | None = None, common: bool = False, top: int | None = None
    ) -> pd.DataFrame:
        """The words that carry the most negative influence over the wrong test predictions, the most negative first.

        `label` (given) and `predicted` choose the mistakes; `common` keeps function words, punctuation and words that are
        everywhere. Columns word, against (<= 0) and support (>= 0): sums over the stored 100 opponents and proponents of each
        mistake; score, their sum; mistakes, of which it carries at least a twentieth of all that pulls against them; and
        examples, through how many. `frame.attrs["special_tokens"]` gives the same for start
        and end tokens. Raises `QueryError` for an unknown label or a top below 1.
        """
        if top is not None and top < 1:
            raise QueryError(f"top={top}: must be 1 or more")
        found = words(self, MistakeFilter(label=label, predicted=predicted))
        names = ["word", "against", "support", "score", "mistakes", "examples"]
        frame = found[~found["kind"].isin([*APART, *([] if common else [COMMON])])][names].reset_index(drop=True)
        frame = frame if top is None else frame.head(top)
        frame.attrs["special_tokens"] = found[found["kind"] == TOKEN][names].to_dict("records")
        return frame

    def fixes(self, *, policy: str = "majority", reviewers: Collection[str] | None = None) -> pd.DataFrame:
        """The reviewers' decisions as a fix list, one row a fix, its columns those that `export` writes; at first none."""
        if not has_reviews(self.path):
            return pd.DataFrame(columns=list(Fix._fields))
        reviews = read_reviews(self)
        try:
            return pd.DataFrame(fix_list(reviews, policy=policy, reviewers=reviewers).fixes, columns=list(Fix._fields))
        finally:
            reviews.close()


def open_workspace(path: str | Path) -> Workspace:
    """The same as `Workspace.open`."""
    return Workspace.open(path)
