"""The EKS endpoint: all operations in one class, which is what the dispatcher needs."""

from emulator.eks.access import AccessEntries
from emulator.eks.addons import Addons
from emulator.eks.clusters import Clusters
from emulator.eks.nodegroups import Nodegroups


class EksResponse(Clusters, Nodegroups, Addons, AccessEntries):
    """Every EKS operation that the emulator has; the others are answered 501."""
