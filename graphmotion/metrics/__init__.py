from graphmotion.metrics.classification import (
    ClassificationScores,
    classification_scores,
    confusion_matrix,
)
from graphmotion.metrics.fusion import fuse_streams
from graphmotion.metrics.summary import FoldSummary, fold_summary, format_table

__all__ = [
    'ClassificationScores',
    'FoldSummary',
    'classification_scores',
    'confusion_matrix',
    'fold_summary',
    'format_table',
    'fuse_streams',
]
