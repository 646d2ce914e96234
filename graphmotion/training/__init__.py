from graphmotion.training.classification import ClassificationModule
from graphmotion.training.cross_validation import Evaluation, cross_validate, train_and_test
from graphmotion.training.data import BatchSampler, GraphDataModule, graph_loader
from graphmotion.training.fit import FitResult, fit, load_weights
from graphmotion.training.history import History, SeedEachStep
from graphmotion.training.predict import predict
from graphmotion.training.recipes import (
    FGSTFormerRecipe,
    MSAGCNRecipe,
    OneCycleRecipe,
    Recipe,
    SGDRecipe,
    StepRecipe,
    class_weights,
)

__all__ = [
    'BatchSampler',
    'ClassificationModule',
    'Evaluation',
    'FGSTFormerRecipe',
    'FitResult',
    'GraphDataModule',
    'History',
    'MSAGCNRecipe',
    'OneCycleRecipe',
    'Recipe',
    'SGDRecipe',
    'SeedEachStep',
    'StepRecipe',
    'class_weights',
    'cross_validate',
    'fit',
    'graph_loader',
    'load_weights',
    'predict',
    'train_and_test',
]
