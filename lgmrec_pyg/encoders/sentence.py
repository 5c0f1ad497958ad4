import json
from functools import cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lgmrec_pyg.storage.digest import digest

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class SentenceEncoder:
    r"""Encodes texts by the `"Sentence-BERT: Sentence Embeddings using Siamese
    BERT-Networks" <https://arxiv.org/abs/1908.10084>`_ model of one's choice.

    The model is loaded when it is first used, and downloaded if needed.

    Args:
        model (str, optional): The name of the model, or the path of its folder.
            (default: :obj:`"all-MiniLM-L6-v2"`)
        batch_size (int, optional): The number of texts to encode at once.
            (default: :obj:`64`)
        device (str, optional): The device to run the model on. If :obj:`None`,
            will use an accelerator in case there is one.
            (default: :obj:`None`)

    Shapes:
        - **input:** a list of :math:`N` texts
        - **output:** features :math:`(N, F)`, with :math:`F = 384` by default

    Raises:
        ImportError: If :obj:`sentence-transformers` is not installed.
        OSError: If the model cannot be loaded.
    """

    def __init__(
        self,
        model: str = 'all-MiniLM-L6-v2',
        batch_size: int = 64,
        device: str | None = None,
    ) -> None:
        if find_spec('sentence_transformers') is None:
            raise ImportError(
                "'SentenceEncoder' needs 'sentence-transformers': pip install "
                'sentence-transformers'
            )
        self.model = model
        self.batch_size = batch_size
        self.device = device

    @property
    def name(self) -> str:
        r"""What tells the model apart as it is now, which is its weights, its
        tokenizer, and how much it reads, after which prompt, into how many features.
        """
        model = self._model
        rules = tokenizer_rules(getattr(model, 'tokenizer', None))
        prompt = model.prompts.get(model.default_prompt_name or '')
        settings = (model.max_seq_length, prompt, model.truncate_dim)
        return f'sentence-transformers:{digest((model, rules, settings))}'

    def __call__(self, texts: list[str]) -> Tensor:
        if len(texts) == 0:
            return torch.empty(0, self._model.get_embedding_dimension() or 0)
        x = self._model.encode(
            list(texts),
            batch_size=self.batch_size,
            convert_to_tensor=True,
            show_progress_bar=False,
        )
        return x.float().cpu().clone()

    @cached_property
    def _model(self) -> 'SentenceTransformer':
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(self.model, device=self.device)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise OSError(
                f"The sentence encoder '{self.model}' could not be loaded ({reason}). "
                f'On a machine without a connection, pass the path of a copy of its '
                f"folder as 'model'"
            ) from error

    def __repr__(self) -> str:
        return f'{self.__class__.__name__}({self.model!r})'


def tokenizer_rules(tokenizer: Any) -> Any:
    r"""Returns the vocabulary and the rules of a tokenizer, as plain types."""
    backend = getattr(tokenizer, 'backend_tokenizer', tokenizer)
    if hasattr(backend, 'to_str'):
        rules = json.loads(backend.to_str())
        for name in ('padding', 'truncation'):  # Those of its last call.
            rules.pop(name, None)
    else:
        rules = backend.get_vocab() if hasattr(backend, 'get_vocab') else None
    names = ('do_lower_case', 'padding_side', 'stop_words', 'truncation_side')
    return rules, [getattr(tokenizer, name, None) for name in names]
