from typing import NamedTuple

METRICS = ('Recall@10', 'Recall@20', 'NDCG@10', 'NDCG@20')


class PublishedResult(NamedTuple):
    r"""Test metrics of a model as somebody else reports them.

    Args:
        model (str): The name of the model.
        source (str): Who reports it, and what differs from a default run.
        metrics (Dict[str, float]): The reported metrics.
    """

    model: str
    source: str
    metrics: dict[str, float]


def _lgmrec(source: str, *values: float) -> PublishedResult:
    return PublishedResult('LGMRec', source, dict(zip(METRICS, values, strict=True)))


def _same_split(model: str, recall: float, ndcg: float) -> PublishedResult:
    metrics = {'Recall@20': recall, 'NDCG@20': ndcg}
    return PublishedResult(model, 'published on this split', metrics)


PAPER = 'Guo et al., AAAI 2024'
LOG = "the authors' log"

#: Published results by dataset, see :class:`PublishedResult`.
PUBLISHED: dict[str, list[PublishedResult]] = {
    'baby': [
        _lgmrec(PAPER, 0.0644, 0.1002, 0.0349, 0.0440),
        _lgmrec(LOG, 0.0644, 0.0982, 0.0347, 0.0434),
    ],
    'sports': [
        _lgmrec(PAPER, 0.0720, 0.1068, 0.0390, 0.0480),
        _lgmrec(LOG, 0.0713, 0.1057, 0.0384, 0.0473),
    ],
    'clothing': [
        _lgmrec(PAPER, 0.0555, 0.0828, 0.0302, 0.0371),
        _lgmrec(LOG, 0.0558, 0.0830, 0.0303, 0.0372),
    ],
    'tiktok': [
        _lgmrec('independent run, image + text', 0.0438, 0.0709, 0.0210, 0.0279),
        _lgmrec("authors' code, image + audio", 0.0423, 0.0606, 0.0228, 0.0273),
        _same_split('LightGCN', 0.0653, 0.0282),
        _same_split('MMGCN', 0.0730, 0.0307),
        _same_split('GRCN', 0.0804, 0.0350),
        _same_split('LATTICE', 0.0843, 0.0367),
        _same_split('BM3', 0.0957, 0.0404),
        _same_split('DiffMM', 0.1129, 0.0456),
    ],
}
