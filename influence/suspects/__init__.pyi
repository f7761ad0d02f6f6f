from .cluster_compute import ClusterSettings as ClusterSettings, write_clusters as write_clusters
from .cluster_cuts import (
    Cluster as Cluster,
    Member as Member,
    check_cut as check_cut,
    cluster as cluster,
    cluster_map as cluster_map,
    cluster_members as cluster_members,
    cluster_suggestions as cluster_suggestions,
    clusters as clusters,
    clusters_provenance as clusters_provenance,
    has_clusters as has_clusters,
)
from .compute import write_suspects as write_suspects
from .ranking import (
    Suspect as Suspect,
    SuspectFilter as SuspectFilter,
    has_suspects as has_suspects,
    provenance as provenance,
    suspect as suspect,
    suspect_ids as suspect_ids,
    suspects as suspects,
    suspects_behind as suspects_behind,
)
from .settings import (
    DEFAULT_FOLDS as DEFAULT_FOLDS,
    DEFAULT_MIN_SIZE as DEFAULT_MIN_SIZE,
    DEFAULT_MODELS as DEFAULT_MODELS,
    DEFAULT_THRESHOLD as DEFAULT_THRESHOLD,
    HeldOutSettings as HeldOutSettings,
)
from .tables import SIGNALS as SIGNALS
