"""Exports a classifier of noisy samples together with its gradient: what classifier guidance needs of it.

    from classifier import export_classifier
    export_classifier(module, manifest, "classifier.onnx")  # module.forward(x, t) -> logits [batch, classes]
"""

import torch
from torch import nn
from torch.nn import functional as F

from export import export


class ClassGradient(nn.Module):
    """x, t, y -> the gradient of log p(y | x) with respect to x (Dhariwal & Nichol 2021, section 4)."""

    def __init__(self, classifier):
        super().__init__()
        self.classifier = classifier

    def forward(self, x, t, y):
        def log_probability(x):
            logits = F.log_softmax(self.classifier(x, t), dim=1)
            # An item's gradient is of its own term: the sum takes them all at once.
            return logits.gather(1, y[:, None]).sum()
        return torch.func.grad(log_probability)(x)


def export_classifier(classifier, manifest, path, **options):
    """Writes the gradient of any classifier `forward(x, t) -> logits` as an ONNX file that carries `manifest`.

    The manifest is that of a predictor on the same schedule with the prediction "class_gradient". Options are those of
    `export`.
    """
    return export(ClassGradient(classifier), manifest, path, traced=True, **options)
