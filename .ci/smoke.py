r"""Trains LGMRec for some steps with the kernels of the package that is installed."""

from pathlib import Path

import torch
import torch_geometric.transforms as T

import lgmrec_pyg
from lgmrec_pyg.datasets import SyntheticMultimodal
from lgmrec_pyg.evaluation import Evaluator
from lgmrec_pyg.graph import model_inputs
from lgmrec_pyg.nn import LGMRec
from lgmrec_pyg.ops import has_extension
from lgmrec_pyg.sampling import TripletSampler
from lgmrec_pyg.training import fit
from lgmrec_pyg.transforms import DegreeNorm, StandardizeFeatures

torch.manual_seed(0)
assert has_extension(), 'the kernels are missing'
package = Path(lgmrec_pyg.__file__).parent
assert Path(__file__).parents[1] not in package.parents, 'this is the checkout'

data = SyntheticMultimodal('small')[0]
data = T.Compose([StandardizeFeatures(), DegreeNorm()])(data)
model, sampler = LGMRec.from_data(data), TripletSampler.from_data(data)
before = [parameter.clone() for parameter in model.parameters()]
fit(model, model_inputs(data), sampler, epochs=2, progress=False)
after = list(model.parameters())
assert all(x.isfinite().all() for x in after)
assert not all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
with torch.no_grad():
    print(Evaluator.from_data(data, 'val')(*model.embed(*model_inputs(data))))
print(f'{package} runs with its kernels')
