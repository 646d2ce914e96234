import torch

from graphmotion.synthetic.walking_styles import TRAITS


def average_traits(**changes):
    """Returns the mean traits of one body, except for the given ones."""
    return {name: torch.tensor([changes.get(name, trait.mean)]) for name, trait in TRAITS.items()}
