from graphmotion.nn.fusion.scale_fusion import ScaleFusion

__all__ = ['ScaleFusion']
