from .comparison import LIKELY as LIKELY, TOP as TOP, Comparison as Comparison, compare as compare
from .evaluation import (
    Evaluation as Evaluation,
    evaluate as evaluate,
    evaluation_tables as evaluation_tables,
    remarks as remarks,
)
from .overlapping import (
    ACTIVATIONS as ACTIVATIONS,
    AGAINST as AGAINST,
    COSINE as COSINE,
    LOSS as LOSS,
    NORM as NORM,
    Overlaps as Overlaps,
    measure_overlaps as measure_overlaps,
    overlap_difference as overlap_difference,
    overlap_table as overlap_table,
    overlaps as overlaps,
)
from .proposals import (
    DECIDED as DECIDED,
    DEFAULT_STRONGEST as DEFAULT_STRONGEST,
    Proposal as Proposal,
    of_fixes as of_fixes,
    propose as propose,
    spec_of_rule as spec_of_rule,
)
from .settings import (
    DEFAULT_SEEDS as DEFAULT_SEEDS,
    MASK as MASK,
    RANDOM as RANDOM,
    RANDOM_SAME_LABEL as RANDOM_SAME_LABEL,
    REMOVE as REMOVE,
    EvaluationSettings as EvaluationSettings,
    FixingSettings as FixingSettings,
    OverlapSettings as OverlapSettings,
)
from .statistics import FEWEST as FEWEST, LEVEL as LEVEL, Crossed as Crossed, Paired as Paired
from .targeted import (
    Fixing as Fixing,
    fix_mistakes as fix_mistakes,
    fixing_beyond as fixing_beyond,
    fixing_curves as fixing_curves,
    fixings as fixings,
    masks_words as masks_words,
    mistakes as mistakes,
)
from .trials import NO_CHANGE as NO_CHANGE
from .whatif import (
    Measure as Measure,
    Outcome as Outcome,
    models_left as models_left,
    outcomes as outcomes,
    try_out as try_out,
)
from .whatif_report import (
    as_json as as_json,
    as_text as as_text,
    changes as changes,
    difference as difference,
    headline as headline,
    interval as interval,
    level as level,
    points as points,
    predictions as predictions,
    spread as spread,
    unit as unit,
    verdict as verdict,
    what as what,
)
