"""What may be chosen about the experiments: which methods, on how much, and how often."""

from dataclasses import dataclass

from influence.attribution import DEFAULT_METHOD, check_method
from influence.errors import SettingsError

CONTROLS = ("random", "random-same-label")  # always evaluated beside the methods asked for
RANDOM = CONTROLS[0]
REMOVE, MASK = "remove", "mask"
MOST_RETRAINS = 1_000


@dataclass(frozen=True, kw_only=True)
class EvaluationSettings:
    """What is evaluated, and how surely."""

    methods: tuple[str, ...] = (DEFAULT_METHOD, "tracin-last")
    ks: tuple[int, ...] = (10, 20, 50, 100)  # how many examples are removed
    test_points: int = 20
    retrains: int = 3
    seed: int = 0  # of the choice of test examples
    no_overlap: bool = False  # only examples with few words in common with the test example are removed (section 5)
    freeze_embedding: bool = False  # the retrained models keep their initial word embedding (appendix J)
    with_bias: bool = False  # see `scores_of`

    def __post_init__(self) -> None:
        _check(self, CONTROLS)


@dataclass(frozen=True, kw_only=True)
class FixingSettings:
    """What is tried, on how many mistakes, and how surely; random examples are always tried besides."""

    methods: tuple[str, ...] = (DEFAULT_METHOD, "influence-last")
    ks: tuple[int, ...] = (10, 20, 50)
    test_points: int = 10
    retrains: int = 3
    ways: tuple[str, ...] = (REMOVE, MASK)
    seed: int = 0  # of the choice of mistakes and of the random examples

    def __post_init__(self) -> None:
        _check(self, (RANDOM,))
        if not self.ways or set(self.ways) - {REMOVE, MASK}:
            raise SettingsError(f"--ways {','.join(self.ways)}: one or both of {REMOVE},{MASK}")


def _check(settings: EvaluationSettings | FixingSettings, controls: tuple[str, ...]) -> None:
    """Bring methods and numbers of examples into their order, with the controls; raises for what cannot be."""
    for method in settings.methods:
        check_method(method)
    object.__setattr__(settings, "methods", tuple(dict.fromkeys((*settings.methods, *controls))))
    object.__setattr__(settings, "ks", tuple(sorted(set(settings.ks))))
    if not settings.ks or settings.ks[0] < 1:
        raise SettingsError(f"--k {','.join(map(str, settings.ks)) or 'of nothing'}: give whole numbers of 1 or more")
    if settings.test_points < 1:
        raise SettingsError(f"--test-points {settings.test_points}: must be 1 or more")
    if not 1 <= settings.retrains <= MOST_RETRAINS:
        raise SettingsError(f"--retrains {settings.retrains}: must be from 1 to {MOST_RETRAINS:,}")
    if settings.seed < 0:
        raise SettingsError(f"--seed {settings.seed}: must be 0 or more")
