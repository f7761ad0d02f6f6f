from .checking import Subject as Subject, check_limits as check_limits
from .junit import as_junit as as_junit
from .limits import (
    DEFAULT_SUSPICION as DEFAULT_SUSPICION,
    KINDS as KINDS,
    Kind as Kind,
    Limit as Limit,
    check_given as check_given,
    check_suspicion as check_suspicion,
    read_limits as read_limits,
)
from .measured import Measured as Measured, of_report as of_report
from .verdicts import Verdict as Verdict, as_json as as_json, as_lines as as_lines, summary as summary
