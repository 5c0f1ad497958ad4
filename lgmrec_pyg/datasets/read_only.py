import os
import os.path as osp


def refuse_read_only(path: str) -> None:
    r"""Raises an error if a folder, or the one it would be created in, is marked
    as read-only.

    Args:
        path (str): The path of the folder.

    Raises:
        PermissionError: If it is.
    """
    # The superuser may write to a folder that is marked as read-only, but
    # whoever marked it as such does not want it to be written to:
    folder = osp.abspath(path)
    while not osp.exists(folder):
        folder = osp.dirname(folder)
    if os.stat(folder).st_mode & 0o222 == 0:
        raise PermissionError(f"'{folder}' is marked as read-only")
