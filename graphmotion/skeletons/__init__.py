from graphmotion.skeletons.convert import conversion_matrix, convert
from graphmotion.skeletons.hierarchy import Hierarchy
from graphmotion.skeletons.layouts import get_skeleton, list_skeletons
from graphmotion.skeletons.skeleton import Skeleton

__all__ = [
    'Hierarchy',
    'Skeleton',
    'conversion_matrix',
    'convert',
    'get_skeleton',
    'list_skeletons',
]
