from .compute import write_clusters as write_clusters
from .cuts import (
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
from .settings import (
    DEFAULT_MIN_SIZE as DEFAULT_MIN_SIZE,
    DEFAULT_THRESHOLD as DEFAULT_THRESHOLD,
    FOLDS as FOLDS,
    METHOD_CHOICES as METHOD_CHOICES,
    WE_TOPK as WE_TOPK,
    ClusterOrder as ClusterOrder,
    ClusterSettings as ClusterSettings,
)
