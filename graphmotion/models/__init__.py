from graphmotion.models.agcn import AGCN, agcn
from graphmotion.models.ctr_gcn import CTRGCN, ctr_gcn
from graphmotion.models.fg_stformer import FGSTFormer, fg_stformer
from graphmotion.models.gaitformer import GaitFormer, gaitformer
from graphmotion.models.gaitmixer import GaitMixer, gaitmixer
from graphmotion.models.lmgcs import LMGCS, lmgcs, lmgcs_ou_mvlp
from graphmotion.models.msa_gcn import MSAGCN, msa_gcn
from graphmotion.models.registry import create_model, list_models, register_model
from graphmotion.models.spagnn import SPAGNN, spagnn
from graphmotion.models.spegnn import SPEGNN, spegnn
from graphmotion.models.ssgnn import SSGNN, ssgnn
from graphmotion.models.st_gcn import STGCN, st_gcn

__all__ = [
    'AGCN',
    'CTRGCN',
    'LMGCS',
    'MSAGCN',
    'SPAGNN',
    'SPEGNN',
    'SSGNN',
    'STGCN',
    'FGSTFormer',
    'GaitFormer',
    'GaitMixer',
    'agcn',
    'create_model',
    'ctr_gcn',
    'fg_stformer',
    'gaitformer',
    'gaitmixer',
    'list_models',
    'lmgcs',
    'lmgcs_ou_mvlp',
    'msa_gcn',
    'register_model',
    'spagnn',
    'spegnn',
    'ssgnn',
    'st_gcn',
]
