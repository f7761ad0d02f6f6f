from .files import (
    as_csv as as_csv,
    as_parquet as as_parquet,
    check_output as check_output,
    read_ranking as read_ranking,
    write_candidates as write_candidates,
)
from .ranking import Candidates as Candidates, rank_candidates as rank_candidates
from .rows import WHY as WHY, Role as Role
from .settings import (
    DEFAULT_TOP as DEFAULT_TOP,
    RANKS as RANKS,
    SUMMED_METHODS as SUMMED_METHODS,
    CandidateSettings as CandidateSettings,
)
