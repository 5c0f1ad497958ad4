from typing import Any

import pytest
import torch
from torch import nn

from lgmrec_pyg.encoders.digest import tokenizer_digest, weights_digest


class Hidden(nn.Sequential):
    def __repr__(self) -> str:
        return 'Hidden()'


class Wrapper(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def extra_repr(self) -> str:
        return repr(self.function)


def test_weights_digest() -> None:
    torch.manual_seed(0)
    model = Hidden(nn.Linear(2, 2), nn.ReLU())
    digest = weights_digest(model)
    assert weights_digest(model) == digest
    assert weights_digest(Hidden(model[0], nn.GELU())) != digest
    assert weights_digest(Hidden(model[0], nn.ReLU())) == digest
    assert weights_digest(Wrapper(lambda: 0)) == weights_digest(Wrapper(lambda: 1))
    with torch.no_grad():
        model[0].bias[0] += 1
    assert weights_digest(model) != digest


class Scaled(nn.Module):
    def __init__(self, scale: Any, mask: float = 0.0) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer('mask', torch.tensor(mask), persistent=False)


def test_weights_digest_tells_settings_apart() -> None:
    settings = [2, 2.5, 'mean', None, True, [1, 'a'], [1, 'b'], torch.relu, nn.GELU]
    models = [Scaled(value) for value in settings]
    models += [Scaled(2, mask=1.0), nn.Sequential(Scaled(2)), Hidden(Scaled(2))]
    attention = [nn.MultiheadAttention(8, heads) for heads in (2, 4)]
    layers = [
        nn.TransformerEncoderLayer(8, 2, 16, norm_first=True),
        nn.TransformerEncoderLayer(8, 2, 16, activation='gelu'),
        nn.TransformerEncoderLayer(8, 4, 16, activation='gelu'),
    ]
    for same in (attention, layers):
        for model in same:
            model.load_state_dict(same[0].state_dict())
        models += same
    digests = [weights_digest(model) for model in models]
    assert len(set(digests)) == len(models)
    assert [weights_digest(model.eval()) for model in models] == digests


def test_weights_digest_of_a_model_that_lies_elsewhere() -> None:
    model = Hidden(nn.Linear(2, 2))
    digests = set()
    for model.name_or_path in ('here', 'there'):
        digests.add(weights_digest(model))
    assert len(digests) == 1


def test_tokenizer_digest() -> None:
    tokenizers = pytest.importorskip('tokenizers')

    def make(**vocab: int) -> Any:
        model = tokenizers.models.WordLevel({'?': 0, **vocab}, unk_token='?')
        return tokenizers.Tokenizer(model)

    tokenizer = make(a=1, b=2)
    digest = tokenizer_digest(tokenizer)
    assert tokenizer_digest(make(b=2, a=1)) == digest
    assert tokenizer_digest(make(a=2, b=1)) != digest
    tokenizer.enable_truncation(3)
    tokenizer.enable_padding()
    assert tokenizer_digest(tokenizer) == digest
    tokenizer.normalizer = tokenizers.normalizers.Lowercase()
    assert tokenizer_digest(tokenizer) != digest


def test_tokenizer_digest_of_words() -> None:
    class Words:
        do_lower_case, stop_words = False, frozenset(['a', 'the'])

        def __init__(self, *vocab: str) -> None:
            self.vocab = vocab

        def get_vocab(self) -> tuple[str, ...]:
            return self.vocab

    digest = tokenizer_digest(Words('a', 'b'))
    assert tokenizer_digest(Words('a', 'b')) == digest
    assert tokenizer_digest(Words('b', 'a')) != digest
    assert tokenizer_digest(None) != digest
    words = Words('a', 'b')
    words.stop_words = frozenset(['a'])
    assert tokenizer_digest(words) != digest
