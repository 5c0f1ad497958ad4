import os
import os.path as osp
from tempfile import TemporaryDirectory
from typing import Any

from torch.nn import Module
from torch_geometric.data import HeteroData

from lgmrec_pyg.storage.atomic import atomic_write
from lgmrec_pyg.storage.model import FILE, load_card, load_model, save_model

README = 'README.md'
TEXT = """\
---
library_name: lgmrec_pyg
pipeline_tag: other
tags:
- recommendation
- pytorch_geometric
- {name}
---

# {name}

A recommender of {users} users and {items} items, saved by `lgmrec_pyg`:

```python
from lgmrec_pyg.storage import from_pretrained

model = from_pretrained('{repo}')
```

{metrics}
`card.json` has its settings, and what it was trained on and with.
"""


def save_pretrained(
    model: Module,
    path: str | os.PathLike[str],
    *,
    data: HeteroData | None = None,
    metrics: dict[str, Any] | None = None,
    repo_id: str | None = None,
) -> None:
    r"""Saves a model by :func:`save_model`, next to the :obj:`README.md` that the
    Hugging Face Hub shows.

    Args:
        model (torch.nn.Module): The model.
        path (str or os.PathLike): The folder.
        data (HeteroData, optional): See :func:`save_model`. The ids of its users and
            items are saved as well, for whoever can read the folder.
            (default: :obj:`None`)
        metrics (Dict[str, Any], optional): See :func:`save_model`.
            (default: :obj:`None`)
        repo_id (str, optional): The name in the Hub. (default: :obj:`None`)
    """
    save_model(model, path, data=data, metrics=metrics)
    card = load_card(path)
    settings = card['settings']
    rows = [f'| {name} | {value} |\n' for name, value in (metrics or {}).items()]
    text = TEXT.format(
        name=card['class'],
        users=settings.get('num_users'),
        items=settings.get('num_items'),
        repo=repo_id or osp.basename(osp.abspath(path)),
        metrics=''.join(['| metric | value |\n| --- | --- |\n', *rows]) if rows else '',
    )
    with atomic_write(osp.join(path, README)) as partial, open(partial, 'w') as file:
        file.write(text)


def push_to_hub(
    model: Module,
    repo_id: str,
    *,
    data: HeteroData | None = None,
    metrics: dict[str, Any] | None = None,
    private: bool | None = None,
    revision: str | None = None,
    token: str | None = None,
) -> str:
    r"""Saves a model in a repository of the Hugging Face Hub, see
    :func:`save_pretrained`, and returns the address of the commit.

    Args:
        model (torch.nn.Module): The model.
        repo_id (str): The repository, *e.g.*, :obj:`"me/baby"`, created if missing.
        data (HeteroData, optional): See :func:`save_pretrained`.
            (default: :obj:`None`)
        metrics (Dict[str, Any], optional): See :func:`save_model`.
            (default: :obj:`None`)
        private (bool, optional): Whether a new repository is private; what the Hub
            does by default if :obj:`None`. (default: :obj:`None`)
        revision (str, optional): The branch. (default: :obj:`None`)
        token (str, optional): The token of the Hub; that of its login if
            :obj:`None`. (default: :obj:`None`)

    Raises:
        ImportError: If :obj:`huggingface_hub` is not installed.
    """
    api = _hub().HfApi(token=token)
    repo_id = api.create_repo(repo_id, private=private, exist_ok=True).repo_id
    with TemporaryDirectory() as folder:
        save_pretrained(model, folder, data=data, metrics=metrics, repo_id=repo_id)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            revision=revision,
            commit_message=f'Save {type(model).__name__}',
        )
    return str(commit.commit_url)


def from_pretrained(
    name: str | os.PathLike[str],
    *,
    revision: str | None = None,
    token: str | None = None,
    **kwargs: Any,
) -> Any:
    r"""Loads a model from a folder, or from a repository of the Hugging Face Hub.
    Nothing in there is executed.

    Args:
        name (str or os.PathLike): The path of a folder, or the name of a repository.
        revision (str, optional): The branch, tag or commit of the repository.
            (default: :obj:`None`)
        token (str, optional): The token of the Hub; that of its login if
            :obj:`None`. (default: :obj:`None`)
        **kwargs (optional): Arguments of :func:`load_model`.

    Raises:
        ImportError: If :obj:`huggingface_hub` is needed and not installed.
    """
    if not osp.isdir(name):
        api = _hub().HfApi(token=token)
        file = api.hf_hub_download(os.fspath(name), FILE, revision=revision)
        name = osp.dirname(file)
    return load_model(name, **kwargs)


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise ImportError(
            "The Hugging Face Hub needs 'huggingface_hub': pip install huggingface_hub"
        ) from error
    return huggingface_hub
