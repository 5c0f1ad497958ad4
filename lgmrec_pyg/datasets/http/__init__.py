r"""Downloads that resume, and that arrive whole or not at all."""

from lgmrec_pyg.datasets.http.download import download
from lgmrec_pyg.datasets.http.partial_file import DownloadError

__all__ = ['DownloadError', 'download']
