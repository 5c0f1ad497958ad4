import pytest
import torch

from benchmarks.accuracy.membership_bug import MembershipBugLGMRec
from benchmarks.accuracy.task import Task
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.nn import LGMRec


@pytest.fixture(scope='module')
def task() -> Task:
    return Task('tiny', SyntheticMultimodal('tiny')[0], ['standardize'])


def test_users_take_the_memberships_of_the_second_modality(task):
    sizes = (task.num_users, task.num_items, task.feature_dims)
    wrong, right = MembershipBugLGMRec(*sizes).eval(), LGMRec(*sizes).eval()
    right.load_state_dict(wrong.state_dict())
    out, expected = wrong(*task.inputs), right(*task.inputs)

    for name in ('collaborative', 'modality', 'hypergraph'):
        torch.testing.assert_close(
            getattr(out.item, name), getattr(expected.item, name)
        )
    (image, text), (kept, softmaxed) = out.user.hypergraph, expected.user.hypergraph
    torch.testing.assert_close(image.membership, softmaxed.membership)
    torch.testing.assert_close(image.latent, kept.latent)
    torch.testing.assert_close(text.latent, softmaxed.latent)
    # The logits of a user are the sum of those of the items that have the modality.
    x = task.features('text') @ wrong.encoder['text'].projection.hyperedge
    logits = torch.zeros(task.num_users, x.size(1))
    logits.index_add_(0, task.train[0], x[task.train[1]])
    torch.testing.assert_close(text.membership, logits)
    assert not torch.allclose(text.membership, softmaxed.membership)


def test_raw_logits_meet_dropout_in_training(task):
    model = MembershipBugLGMRec(
        task.num_users, task.num_items, task.feature_dims, dropout=0.5
    )
    share = (model(*task.inputs).user.hypergraph[1].membership == 0).float().mean()
    assert 0.4 < share < 0.6


def test_it_needs_two_modalities(task):
    with pytest.raises(ValueError, match='two modalities'):
        MembershipBugLGMRec(3, 3, {'text': 2})
