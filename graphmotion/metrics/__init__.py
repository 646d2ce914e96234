from graphmotion.metrics.classification import ClassificationScores, classification_scores
from graphmotion.metrics.comparison import PairedComparison, compare_paired
from graphmotion.metrics.confusion import confusion_matrix
from graphmotion.metrics.discriminant import DiscriminantProjection, discriminant_projection
from graphmotion.metrics.fusion import fuse_streams, fusion_contributions
from graphmotion.metrics.markdown import markdown_table
from graphmotion.metrics.recognition.gallery_probe import gallery_probe
from graphmotion.metrics.recognition.open_set import OpenSetScores, open_set_scores
from graphmotion.metrics.recognition.protocols import GalleryProbeProtocol
from graphmotion.metrics.recognition.published_protocols import (
    CASIA_B_LT,
    CASIA_B_MT,
    CASIA_B_ST,
    GAIT3D,
    GREW,
    ODD_TO_EVEN_TAKES,
    OU_MVLP,
    USF,
)
from graphmotion.metrics.recognition.retrieval import Retrieval, retrieve
from graphmotion.metrics.recognition.scores import GalleryProbeScores, format_recognition_table
from graphmotion.metrics.recognition.sequences import match_sequences, sequence_distances
from graphmotion.metrics.recognition.similarity import relative_spread
from graphmotion.metrics.recognition.verification import VerificationScores, verification_scores
from graphmotion.metrics.run_comparison import RunComparison, compare_runs, describe_outcomes
from graphmotion.metrics.summary import FoldSummary, fold_summary, format_table

__all__ = [
    'CASIA_B_LT',
    'CASIA_B_MT',
    'CASIA_B_ST',
    'GAIT3D',
    'GREW',
    'ODD_TO_EVEN_TAKES',
    'OU_MVLP',
    'USF',
    'ClassificationScores',
    'DiscriminantProjection',
    'FoldSummary',
    'GalleryProbeProtocol',
    'GalleryProbeScores',
    'OpenSetScores',
    'PairedComparison',
    'Retrieval',
    'RunComparison',
    'VerificationScores',
    'classification_scores',
    'compare_paired',
    'compare_runs',
    'confusion_matrix',
    'describe_outcomes',
    'discriminant_projection',
    'fold_summary',
    'format_recognition_table',
    'format_table',
    'fuse_streams',
    'fusion_contributions',
    'gallery_probe',
    'markdown_table',
    'match_sequences',
    'open_set_scores',
    'relative_spread',
    'retrieve',
    'sequence_distances',
    'verification_scores',
]
