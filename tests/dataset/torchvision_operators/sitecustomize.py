"""Declare the operators that torchvision expects of its library, which needs CUDA and cannot be loaded where PyTorch has none.

open_clip imports torchvision for its transforms, which need no operator. Python runs this file at its start where its folder is
in ``PYTHONPATH``.
"""

import torch

_torchvision = torch.library.Library("torchvision", "DEF")
_torchvision.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
_torchvision.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
