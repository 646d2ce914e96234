from graphmotion.inference.export import export

__all__ = ['export']
