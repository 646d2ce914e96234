from graphmotion.datasets.camera import Camera
from graphmotion.datasets.casia_b_pose import CASIABPose
from graphmotion.datasets.emotion_gait import EmotionGait
from graphmotion.datasets.graph_dataset import GraphDataset
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.ntu_rgbd import NTURGBD
from graphmotion.datasets.nw_ucla import NWUCLA
from graphmotion.datasets.pose_folder import PoseFolder
from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.datasets.skeleton_pickle import SkeletonPickle
from graphmotion.datasets.synthetic_actions import SyntheticActions
from graphmotion.datasets.synthetic_gait import SyntheticGait
from graphmotion.datasets.ucalgary_gait import UCalgaryGait
from graphmotion.datasets.utd_mhad import UTDMHAD

__all__ = [
    'NTURGBD',
    'NWUCLA',
    'UTDMHAD',
    'CASIABPose',
    'Camera',
    'EmotionGait',
    'GraphDataset',
    'MotionDataset',
    'PoseFolder',
    'RecordedDataset',
    'SkeletonPickle',
    'SyntheticActions',
    'SyntheticGait',
    'UCalgaryGait',
]
