"""Graph learning on human bodies and faces with PyTorch Geometric."""

__version__ = '0.1.0'
