# Written by `python -m infobound.stubs`.

from infobound.regularizers.adversary import Adversary as Adversary
from infobound.regularizers.combined import Combined as Combined
from infobound.regularizers.distance_correlation import DistanceCorrelation as DistanceCorrelation
from infobound.regularizers.heuristic import Heuristic as Heuristic
from infobound.regularizers.jsd_gradient import JSDGradient as JSDGradient
from infobound.regularizers.kl_update import KLUpdate as KLUpdate
from infobound.regularizers.mine_bottleneck import MineBottleneck as MineBottleneck
from infobound.regularizers.minmax import Minmax as Minmax
from infobound.regularizers.mmd import MMD as MMD
from infobound.regularizers.mutual_information import MutualInformation as MutualInformation
from infobound.regularizers.privacy_utility import PrivacyUtility as PrivacyUtility
from infobound.regularizers.rate import Rate as Rate
