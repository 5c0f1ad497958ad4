import re
from itertools import count
from typing import Any

from lgmrec_pyg.graph import IdMap, kind_of

INTEGER = re.compile('0|-?[1-9][0-9]{0,18}', re.ASCII)


class KnownIds:
    r"""Finds the ids that strings and integers of a request stand for: those that are
    written the same. So :obj:`7` and :obj:`"7"` are the same id, whatever type the
    ids of the data have, and :obj:`"07"` is another one.

    Args:
        known (IdMap): The ids of the data.
    """

    def __init__(self, known: IdMap) -> None:
        self.known = known
        self.are_integers = kind_of(known.decode([0])[0]) == 'integer'
        kind = int if self.are_integers else str
        #: What stands for all unknown ids.
        self.absent: Any = next(x for x in map(kind, count(-1, -1)) if x not in known)

    def find(self, ids: list[str | int]) -> list[Any]:
        r"""Returns the ids of the data, and :obj:`absent` for unknown ones.

        Args:
            ids (List[str or int]): The ids of a request.
        """
        convert = self._as_integer if self.are_integers else self._as_string
        values = [convert(str(x)) for x in ids]
        pairs = zip(values, self.known.find(values).tolist(), strict=True)
        return [self.absent if row < 0 else value for value, row in pairs]

    def _as_integer(self, text: str) -> Any:
        value = int(text) if INTEGER.fullmatch(text) else self.absent
        return value if -(2**63) <= value < 2**63 else self.absent

    def _as_string(self, text: str) -> Any:
        return self.absent if text.endswith('\0') else text  # As no id does.
