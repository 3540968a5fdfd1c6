# Written by `python -m infobound.stubs`.

from infobound.runners.adversarial.runner import Adversarial as Adversarial
from infobound.runners.classify.fresh_classifier import FreshClassifier as FreshClassifier
from infobound.runners.classify.runner import Classify as Classify
from infobound.runners.estimate.fresh_estimates import FreshEstimates as FreshEstimates
from infobound.runners.estimate.runner import Estimate as Estimate
from infobound.runners.gan.objectives import NonSaturating as NonSaturating
from infobound.runners.gan.objectives import Wasserstein as Wasserstein
from infobound.runners.gan.runner import GAN as GAN
from infobound.runners.information_plane.runner import InformationPlane as InformationPlane
from infobound.runners.infoshape.runner import InfoShape as InfoShape
from infobound.runners.invariant.runner import Invariant as Invariant
from infobound.runners.reports.report import Report as Report
from infobound.runners.represent.runner import Represent as Represent
from infobound.runners.runs.sweep import Manner as Manner
from infobound.runners.staircase.runner import Staircase as Staircase
from infobound.runners.trust.runner import Trust as Trust
