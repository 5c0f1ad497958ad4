from typing import Any

import pytest

from lgmrec_pyg.encoders.sentence import tokenizer_rules
from lgmrec_pyg.storage.digest import digest


def tokenizer_digest(tokenizer: Any) -> str:
    return digest(tokenizer_rules(tokenizer))


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
