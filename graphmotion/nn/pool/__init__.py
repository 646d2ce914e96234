from graphmotion.nn.pool.part_pooling import PartPooling

__all__ = ['PartPooling']
