import torch
from torch import Tensor
from torch.nn import Module, Parameter


class SpectralFilter(Module):
    r"""Filters features in the frequency domain, several at once by their product,
    from the `"Spectrum-based Modality Representation Fusion Graph Convolutional
    Network for Multimodal Recommendation" <https://arxiv.org/abs/2412.14978>`_
    paper.

    .. math::
        \mathbf{c} = \mathcal{F}^{-1} \Big( \mathbf{w} \odot \bigodot_m
        \mathcal{F}(\mathbf{f}_m) \Big)

    with the real Fourier transform :math:`\mathcal{F}` along features, scaled to be
    orthonormal, and a learned complex filter :math:`\mathbf{w}`. It transforms in
    single precision at least.

    Args:
        channels (int): The width :math:`d` of features.

    Shapes:
        - **input:** one or more features, each :math:`(N, d)`
        - **output:** :math:`(N, d)`
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.weight = Parameter(torch.empty(channels // 2 + 1, 2))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module (standard normal)."""
        torch.nn.init.normal_(self.weight)

    def forward(self, *features: Tensor) -> Tensor:
        dtype = torch.promote_types(features[0].dtype, torch.float)
        spectrum = torch.view_as_complex(self.weight.to(dtype))
        for x in features:
            spectrum = spectrum * torch.fft.rfft(x.to(dtype), dim=1, norm='ortho')
        out = torch.fft.irfft(spectrum, n=self.channels, dim=1, norm='ortho')
        return out.to(features[0].dtype)

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.channels})'
