"""resnet8x4 and resnet32x4, the three-stage residual networks of the field's CIFAR-100 comparisons.

Source: Tian et al., "Contrastive Representation Distillation" (arXiv 1910.10699): the three-stage CIFAR ResNet of He
et al. with four times the width and a stem of 32.
"""

from functools import partial

from bkd.models.resnet import BasicBlock, ResNet

_WIDTHS = (64, 128, 256)

resnet8x4 = partial(ResNet, block=BasicBlock, depths=(1, 1, 1), widths=_WIDTHS, stem_width=32)
resnet32x4 = partial(ResNet, block=BasicBlock, depths=(5, 5, 5), widths=_WIDTHS, stem_width=32)
