import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Linear, Module


class SampledAttention(Module):
    r"""Attention of nodes to themselves and to a few random items, from the
    `"Modality-Independent Graph Neural Networks with Global Transformers for
    Multimodal Recommendation" <https://arxiv.org/abs/2412.13994>`_ paper.

    .. math::
        \mathbf{T}_n = [\mathbf{z}_n ; \mathbf{z}_{s_1} ; \ldots ; \mathbf{z}_{s_S}],
        \qquad \mathbf{O}_n = \beta \, \mathrm{softmax} \Big( \frac{\mathbf{T}_n
        \mathbf{W}_q (\mathbf{T}_n \mathbf{W}_k)^{\top}}{\sqrt{c}} \Big) \mathbf{T}_n
        + (1 - \beta) \mathbf{T}_n

    The first row of :math:`\mathbf{O}_n` is the embedding of the node.

    Args:
        channels (int): The embedding size :math:`d`.
        num_samples (int, optional): The number :math:`S` of items, drawn with
            replacement. (default: :obj:`10`)
        hidden_channels (int, optional): The width :math:`c` of queries and keys.
            (default: :obj:`4`)
        weight (float, optional): The share :math:`\beta`. (default: :obj:`0.1`)

    Shapes:
        - **input:** nodes :math:`(N, d)`, items :math:`(|\mathcal{I}|, d)`, items
          of every node :math:`(N, S)`
        - **output:** :math:`(N, d)`
    """

    def __init__(
        self,
        channels: int,
        num_samples: int = 10,
        hidden_channels: int = 4,
        weight: float = 0.1,
    ) -> None:
        super().__init__()
        self.num_samples = num_samples
        self.weight = weight
        self.query = Linear(channels, hidden_channels)
        self.key = Linear(channels, hidden_channels)

    def reset_parameters(self) -> None:
        r"""Resets all learnable parameters of the module."""
        self.query.reset_parameters()
        self.key.reset_parameters()

    def sample(self, num_nodes: int, num_items: int, device: torch.device) -> Tensor:
        r"""Draws items for every node: afresh in training, always the same ones in
        evaluation.
        """
        generator = None if self.training else torch.Generator(device).manual_seed(0)
        size = (num_nodes, self.num_samples)
        return torch.randint(num_items, size, generator=generator, device=device)

    def forward(self, x: Tensor, item: Tensor, sample: Tensor) -> Tensor:
        query, key = self.query(x), F.embedding(sample, self.key(item))
        key = torch.cat([self.key(x).unsqueeze(1), key], dim=1)
        score = (key @ query.unsqueeze(-1)).squeeze(-1) / query.size(1) ** 0.5
        attention = score.softmax(dim=1)
        out = attention[:, :1] * x
        if self.num_samples > 0:  # Sums in place of all tokens.
            others = attention[:, 1:].to(item.dtype).contiguous()
            out = out + F.embedding_bag(
                sample, item, per_sample_weights=others, mode='sum'
            )
        return self.weight * out + (1 - self.weight) * x

    def tokens(self, x: Tensor, item: Tensor, sample: Tensor) -> Tensor:
        r"""All rows of :math:`\mathbf{O}_n`, of shape :math:`(N, S + 1, d)`."""
        token = torch.cat([x.unsqueeze(1), F.embedding(sample, item)], dim=1)
        query, key = self.query(token), self.key(token)
        score = query @ key.transpose(1, 2) / query.size(2) ** 0.5
        return self.weight * score.softmax(dim=2) @ token + (1 - self.weight) * token

    def __repr__(self) -> str:
        return (
            f'{self.__class__.__name__}({self.query.in_features}, '
            f'num_samples={self.num_samples})'
        )
