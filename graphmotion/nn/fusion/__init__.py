from graphmotion.nn.fusion.branch_fusion import BranchFusion
from graphmotion.nn.fusion.decision_fusion import DecisionFusion
from graphmotion.nn.fusion.scale_fusion import ScaleFusion

__all__ = ['BranchFusion', 'DecisionFusion', 'ScaleFusion']
