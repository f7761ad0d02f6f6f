from .change import Change as Change, Run as Run
from .runner import (
    check_change as check_change,
    check_trained_here as check_trained_here,
    embedding_frozen as embedding_frozen,
    retrain as retrain,
    seeds_of as seeds_of,
    time_expected as time_expected,
    to_train as to_train,
)
from .tables import RunKey as RunKey, open_store as open_store
