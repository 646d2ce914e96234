from graphmotion.datasets.casia_b_pose import CASIABPose
from graphmotion.datasets.casia_b_silhouettes import CASIABSilhouettes
from graphmotion.datasets.ck_plus import CKPlus
from graphmotion.datasets.emotion_gait import EmotionGait, read_emotion_gait
from graphmotion.datasets.face_dataset import FaceDataset
from graphmotion.datasets.face_folder import FaceFolder
from graphmotion.datasets.fer2013 import FER2013
from graphmotion.datasets.gait3d import Gait3DPose, Gait3DSilhouettes
from graphmotion.datasets.gait_pose_dataset import GaitPoseDataset
from graphmotion.datasets.grew import GREWPose, GREWSilhouettes
from graphmotion.datasets.jaffe import JAFFE
from graphmotion.datasets.mixed_faces import MixedFaces
from graphmotion.datasets.motion_dataset import MotionDataset
from graphmotion.datasets.ntu_rgbd import NTURGBD
from graphmotion.datasets.nw_ucla import NWUCLA, read_nw_ucla
from graphmotion.datasets.ou_mvlp import OUMVLP, OUMVLPPose
from graphmotion.datasets.pose_folder import PoseFolder
from graphmotion.datasets.recorded_dataset import RecordedDataset
from graphmotion.datasets.silhouette_dataset import SilhouetteDataset
from graphmotion.datasets.skeleton_arrays import SkeletonArrays
from graphmotion.datasets.skeleton_pickle import SkeletonPickle
from graphmotion.datasets.synthetic_actions import SyntheticActions
from graphmotion.datasets.synthetic_faces import SyntheticFaces
from graphmotion.datasets.synthetic_gait import SyntheticGait
from graphmotion.datasets.ucalgary_gait import UCalgaryGait, read_ucalgary_gait
from graphmotion.datasets.usf_gait import USFGait
from graphmotion.datasets.utd_mhad import UTDMHAD, read_utd_mhad

__all__ = [
    'FER2013',
    'JAFFE',
    'NTURGBD',
    'NWUCLA',
    'OUMVLP',
    'UTDMHAD',
    'CASIABPose',
    'CASIABSilhouettes',
    'CKPlus',
    'EmotionGait',
    'FaceDataset',
    'FaceFolder',
    'GREWPose',
    'GREWSilhouettes',
    'Gait3DPose',
    'Gait3DSilhouettes',
    'GaitPoseDataset',
    'MixedFaces',
    'MotionDataset',
    'OUMVLPPose',
    'PoseFolder',
    'RecordedDataset',
    'SilhouetteDataset',
    'SkeletonArrays',
    'SkeletonPickle',
    'SyntheticActions',
    'SyntheticFaces',
    'SyntheticGait',
    'UCalgaryGait',
    'USFGait',
    'read_emotion_gait',
    'read_nw_ucla',
    'read_ucalgary_gait',
    'read_utd_mhad',
]
