from .matching import TIMEOUT as TIMEOUT, Judge as Judge
from .rule import (
    BY as BY,
    UNKNOWN as UNKNOWN,
    AppliedRule as AppliedRule,
    Preview as Preview,
    Rule as Rule,
    applied_rules as applied_rules,
    apply_rule as apply_rule,
    changed_by as changed_by,
    preview as preview,
    rule_of as rule_of,
)
