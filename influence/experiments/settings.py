"""What may be chosen about the experiments: which methods, on how much, and how surely."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from influence.attribution import DEFAULT_METHOD, TEXTS_ONLY, check_method
from influence.errors import SettingsError

RANDOM, RANDOM_SAME_LABEL = "random", "random-same-label"
REMOVE, MASK = "remove", "mask"
MOST_RETRAINS = 1_000
DEFAULT_SEEDS = 5  # of a what-if; here, as the command line's help reads it and needs no numbers


@dataclass(frozen=True, kw_only=True)
class RetrainingSettings:
    """Settings of an experiment that changes the k strongest examples of each method and retrains.

    Raises `QueryError` for an unknown method and `SettingsError` for a number out of its range.
    """

    controls: ClassVar[tuple[str, ...]]  # methods that are tried beside those asked for, always

    methods: tuple[str, ...]
    ks: tuple[int, ...]  # how many examples are changed
    test_points: int
    retrains: int = 3
    seed: int = 0  # of the choice of test examples, and of random training examples

    def __post_init__(self) -> None:
        for method in self.methods:
            check_method(method)
        object.__setattr__(self, "methods", tuple(dict.fromkeys((*self.methods, *self.controls))))
        object.__setattr__(self, "ks", tuple(sorted(set(self.ks))))
        if not self.ks or self.ks[0] < 1:
            raise SettingsError(f"--k {','.join(map(str, self.ks)) or 'without a number'}: give whole numbers of 1 or more")
        if self.test_points < 1:
            raise SettingsError(f"--test-points {self.test_points}: must be 1 or more")
        if not 1 <= self.retrains <= MOST_RETRAINS:
            raise SettingsError(f"--retrains {self.retrains}: must be from 1 to {MOST_RETRAINS:,}")
        if self.seed < 0:
            raise SettingsError(f"--seed {self.seed}: must be 0 or more")

    def check_ks(self, most: int, what: str = "training examples") -> None:
        """Raise `SettingsError` where all of the `most` examples, or more, would be changed."""
        if self.ks[-1] >= most:
            raise SettingsError(f"--k {self.ks[-1]}: must be less than {most:,}, the number of {what}")

    def record(self, seeds: Sequence[int]) -> dict[str, Any]:
        """The settings and the seeds retrained with, as they come back from JSON."""
        record: dict[str, Any] = json.loads(json.dumps({**asdict(self), "seeds": list(seeds)}))
        return record


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings(RetrainingSettings):
    """What is evaluated, and how surely."""

    controls = (RANDOM, RANDOM_SAME_LABEL)

    methods: tuple[str, ...] = (DEFAULT_METHOD, "tracin-last")
    ks: tuple[int, ...] = (10, 20, 50, 100)  # how many examples are removed
    test_points: int = 20
    no_overlap: bool = False  # only examples with few words in common with the test example are removed (section 5)
    freeze_embedding: bool = False  # the retrained models keep their initial word embedding (appendix J)
    with_bias: bool = False  # see `scores_of`
    qld: bool = True  # the strongest 1 % of all training examples are removed besides


@dataclass(frozen=True, kw_only=True)
class FixingSettings(RetrainingSettings):
    """What is tried, on how many mistakes, and how surely; random examples are always tried besides."""

    controls = (RANDOM,)

    methods: tuple[str, ...] = (DEFAULT_METHOD, "influence-last")
    ks: tuple[int, ...] = (10, 20, 50)
    test_points: int = 10
    ways: tuple[str, ...] = (REMOVE, MASK)

    def __post_init__(self) -> None:
        super().__post_init__()
        for method in self.methods:
            if method in TEXTS_ONLY:
                raise SettingsError(f"--methods {method}: it knows the texts only and names no opponents, so it blames nothing")
        if not self.ways or set(self.ways) - {REMOVE, MASK}:
            raise SettingsError(f"--ways {','.join(self.ways)}: one or both of {REMOVE},{MASK}")


@dataclass(frozen=True, kw_only=True)
class OverlapSettings:
    """Whose lists are compared, and for how many test examples (appendix G: 40); random lists always are, too.

    Raises `QueryError` for an unknown method and `SettingsError` for a number out of its range.
    """

    methods: tuple[str, ...] = ("tracin-last", "tracin-we", DEFAULT_METHOD)
    top: int = 100  # proponents of a list that is compared with another
    near: int = 20  # proponents and opponents among which repeated ones are counted
    test_points: int = 40  # drawn at random; all where there are fewer
    seed: int = 0  # of the draw

    def __post_init__(self) -> None:
        for method in self.methods:
            check_method(method)
        object.__setattr__(self, "methods", tuple(dict.fromkeys((*self.methods, RANDOM))))
        for name, least in (("top", 1), ("near", 1), ("test_points", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise SettingsError(f"--{name.replace('_', '-')} {getattr(self, name)}: must be {least} or more")

    def record(self, tests: int) -> dict[str, Any]:
        """The settings as they come back from JSON, with the number of test examples that there were."""
        record: dict[str, Any] = json.loads(json.dumps({**asdict(self), "test_points": tests}))
        return record
