import os
import re
import sqlite3
import subprocess
import sys
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from bag_of_words import BagOfWords
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lgmrec_pyg.encoders import encode

TEXTS = ['a b', 'c', 'a b', '', 'a a', 'b a']


def test_encode() -> None:
    encoder = BagOfWords()
    x = encode(TEXTS, encoder, batch_size=2, progress=False)
    assert x.dtype == torch.float32
    assert torch.equal(x, BagOfWords()(TEXTS))
    # What occurs repeatedly is encoded once.
    assert encoder.batches == [['a b', 'c'], ['', 'a a'], ['b a']]
    by_id = {f'B{i}': text for i, text in enumerate(TEXTS)}
    assert torch.equal(encode(by_id, encoder, progress=False), x)
    assert encode([], encoder).size() == (0, 0)


@given(
    st.lists(st.lists(st.text('ab ', max_size=3), max_size=8), max_size=3),
    st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_encode_with_cache(
    tmp_path_factory: pytest.TempPathFactory, calls: list[list[str]], batch_size: int
) -> None:
    cache = str(tmp_path_factory.mktemp('cache') / 'a.sqlite')
    encoder = BagOfWords()
    for texts in calls:
        x = encode(texts, encoder, batch_size=batch_size, cache=cache, progress=False)
        assert torch.equal(x, BagOfWords()(texts) if texts else torch.empty(0, 0))
    assert encoder.num_texts == len({text for texts in calls for text in texts})
    assert max(map(len, encoder.batches), default=0) <= batch_size


def test_encode_with_cache_of_several_encoders(tmp_path: Path) -> None:
    cache = str(tmp_path / 'new' / 'a.sqlite')
    for _ in range(2):
        for encoder in [BagOfWords(4), BagOfWords(8), BagOfWords(8, 'other')]:
            x = encode(TEXTS, encoder, cache=cache, progress=False)
            assert torch.equal(x, encoder(TEXTS))
    again = BagOfWords(8)
    encode(TEXTS, again, cache=cache, progress=False)
    assert again.num_texts == 0


def test_encode_keeps_bits(tmp_path: Path) -> None:
    def encoder(texts: list[str]) -> Tensor:
        generator = torch.Generator().manual_seed(len(texts))
        return torch.randn(len(texts), 5, generator=generator).mul(1e-30)

    encoder.name = 'random'  # type: ignore[attr-defined]
    cache = str(tmp_path / 'a.sqlite')
    first = encode(TEXTS, encoder, cache=cache, progress=False)
    assert torch.equal(encode(TEXTS, encoder, cache=cache, progress=False), first)


@pytest.mark.parametrize('error', [KeyboardInterrupt, RuntimeError])
def test_encode_when_interrupted(
    tmp_path: Path, error: type[BaseException], capfd: pytest.CaptureFixture
) -> None:
    cache = str(tmp_path / 'a.sqlite')
    words = BagOfWords()

    def encoder(texts: list[str]) -> Tensor:
        if len(words.batches) == 2:
            raise error
        return words(texts)

    encoder.name = words.name  # type: ignore[attr-defined]
    with pytest.raises(error):
        encode(TEXTS, encoder, batch_size=2, cache=cache, progress=False)
    again = BagOfWords()
    x = encode(TEXTS, again, batch_size=2, cache=cache)
    assert torch.equal(x, BagOfWords()(TEXTS))
    assert again.batches == [['b a']]
    assert '5/5' in capfd.readouterr().err


KILLED = """
import os, sys
import torch
from lgmrec_pyg.encoders import encode

def encoder(texts):
    if texts[0] == '6':
        os.kill(os.getpid(), 9)
    return torch.tensor([[float(text)] for text in texts])

encoder.name = 'number'
encode([str(i) for i in range(10)], encoder, batch_size=3, cache=sys.argv[1])
"""


@pytest.mark.skipif(os.name != 'posix', reason='needs signals')
def test_encode_when_killed(tmp_path: Path) -> None:
    cache = str(tmp_path / 'a.sqlite')
    out = subprocess.run([sys.executable, '-c', KILLED, cache], capture_output=True)
    assert out.returncode == -9
    encoded = []

    def encoder(texts: list[str]) -> Tensor:
        encoded.extend(texts)
        return torch.tensor([[float(text)] for text in texts])

    encoder.name = 'number'  # type: ignore[attr-defined]
    texts = [str(i) for i in range(10)]
    x = encode(texts, encoder, cache=cache, progress=False)
    assert x.flatten().tolist() == list(range(10))
    assert encoded == ['6', '7', '8', '9']


def encode_some(start: int, cache: str) -> list[float]:
    texts = [f'{i} x' for i in range(start, start + 60)]
    return encode(
        texts, BagOfWords(), batch_size=2, cache=cache, progress=False
    ).tolist()


def test_encode_at_the_same_time(tmp_path: Path) -> None:
    cache = str(tmp_path / 'a.sqlite')
    with ThreadPool(2) as pool:
        out = pool.starmap(encode_some, [(0, cache), (30, cache)])
    expected = [encode_some(start, str(tmp_path / 'b.sqlite')) for start in (0, 30)]
    assert out == expected


@pytest.mark.parametrize(
    'out',
    [torch.zeros(3, 2), torch.zeros(2), torch.zeros(2, 0), torch.ones(2, 1) * 1j],
)
def test_encode_checks_the_encoder(out: Any) -> None:
    message = re.escape(
        f'of shape [2, *] (got {out.dtype} of shape {list(out.size())})'
    )
    with pytest.raises(ValueError, match=message):
        encode(['a', 'b'], lambda texts: out, progress=False)


class Fragile(BagOfWords):
    def __call__(self, texts: list[str]) -> Tensor:
        if 'bad' in texts:
            raise ValueError("'bad' cannot be read")
        x = super().__call__(texts)
        x[[text == 'odd' for text in texts]] = float('inf')
        return x


CONTENTS = {'a': 'x y', 'b': 'bad', 'c': 'y', 'd': 'odd', 'e': 'z', 'f': None, 'g': 'z'}
FINE = [key in 'aceg' for key in CONTENTS]


@pytest.mark.parametrize('batch_size', [1, 2, 7])
def test_encode_skips_what_cannot_be_encoded(tmp_path: Path, batch_size: int) -> None:
    options: dict[str, Any] = {'batch_size': batch_size, 'progress': False}
    options['cache'] = tmp_path / 'a.sqlite'
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"3 of 7 .*\['b', 'd', 'f'\] .*are NaN"):
            x = encode(CONTENTS, Fragile(), **options)
        assert x.isfinite().all(dim=1).tolist() == FINE
        assert x.isnan().any(dim=1).tolist() == [not fine for fine in FINE]
        texts = [
            text for text, fine in zip(CONTENTS.values(), FINE, strict=True) if fine
        ]
        assert torch.equal(x[FINE], BagOfWords()(texts))
    for missing in (None, float('nan'), pd.NA, pd.NaT):
        with pytest.warns(UserWarning, match=r'\[1\] \(at first: it is missing\)'):
            encode(['a', missing], Fragile(), **options)
    with pytest.raises(ValueError, match="'batch_size' needs to be a positive"):
        encode(['a'], Fragile(), batch_size=0)


def test_encode_fails_where_little_is_left() -> None:
    message = r"2 of 3 contents cannot be encoded: \[0, 2\] \(at first: 'bad' cannot be"
    with pytest.raises(ValueError, match=message):
        encode(['bad', 'a', 'odd'], Fragile(), progress=False)


def test_other_errors_are_not_those_of_contents() -> None:
    with pytest.raises(ZeroDivisionError):
        encode(['a', 'b'], lambda texts: 1 / 0, progress=False)  # type: ignore


def test_encode_errors(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r'strings, bytes, paths or PIL .* \(got int\)'
    ):
        encode(['a', 3], BagOfWords())
    with pytest.raises(ValueError, match=r"'encoder' needs to have a 'name'.*got None"):
        encode(['a'], lambda texts: torch.zeros(1, 1), cache=str(tmp_path / 'a'))
    with pytest.raises(ValueError, match=r'equally many features .* \(got \[1, 2\]\)'):
        encode(
            ['a', 'b'],
            lambda texts: torch.zeros(1, 1 + (texts == ['a'])),
            batch_size=1,
            progress=False,
        )


def test_encode_reads_the_name_at_every_call(tmp_path: Path) -> None:
    encoder, cache = BagOfWords(8, 'one'), str(tmp_path / 'a.sqlite')
    encode(TEXTS, encoder, cache=cache, progress=False)
    encoder.name, encoder.dim = 'two', 4
    x = encode(TEXTS, encoder, cache=cache, progress=False)
    assert torch.equal(x, BagOfWords(4)(TEXTS))


def test_encode_again_what_the_cache_lost(tmp_path: Path) -> None:
    cache = tmp_path / 'a.sqlite'
    x = encode(TEXTS, BagOfWords(), cache=cache, progress=False)
    connection = sqlite3.connect(cache)
    with connection:
        connection.execute("UPDATE embeddings SET value = x'000000'")
    connection.close()
    for num_texts in [5, 0]:
        encoder = BagOfWords()
        assert torch.equal(encode(TEXTS, encoder, cache=cache, progress=False), x)
        assert encoder.num_texts == num_texts


def test_encode_takes_arrays_and_half_precision() -> None:
    x = encode(['a'], lambda texts: np.ones((1, 2)), progress=False)  # type: ignore
    assert x.dtype == torch.float32
    x = encode(['a'], lambda texts: torch.ones(1, 2).half(), progress=False)
    assert x.dtype == torch.float32
    with torch.inference_mode():
        ones = torch.ones(1, 2)
    x = encode(['a'], lambda texts: ones, progress=False)
    assert not x.is_inference()
    (x * torch.ones(2, requires_grad=True)).sum().backward()


def test_encoder_may_reuse_its_memory() -> None:
    buffer = torch.empty(2, 1)

    def lengths(texts: list[str]) -> torch.Tensor:
        for i, text in enumerate(texts):
            buffer[i, 0] = len(text)
        return buffer[: len(texts)]

    out = encode(['a', 'bb', 'ccc', 'dddd'], lengths, batch_size=2, progress=False)
    assert out.flatten().tolist() == [1, 2, 3, 4]


def test_paths_as_strings_are_cached_by_the_content_of_files(tmp_path: Path) -> None:
    class Sizes:
        name, takes_paths = 'sizes', True

        def __call__(self, paths: list[Path]) -> list[list[int]]:
            return [[path.stat().st_size] for path in paths]

    path, options = tmp_path / 'a', {'cache': tmp_path / 'cache', 'progress': False}
    for content in ('a', 'aaa'):
        path.write_text(content)
        assert encode([str(path)], Sizes(), **options).item() == len(content)
