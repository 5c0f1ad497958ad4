r"""The peak memory of a part of a process."""

import ctypes


class PeakMemory:
    r"""Measures how far the resident memory rises above where it is now; NaN where
    the operating system does not tell (other than Linux).
    """

    def __init__(self) -> None:
        try:
            # Else the part would run in what earlier ones have left behind.
            ctypes.CDLL(None).malloc_trim(0)
            with open('/proc/self/clear_refs', 'w', encoding='ascii') as file:
                file.write('5')  # Resets the peak.
        except (OSError, AttributeError, TypeError):
            self.start = float('nan')
        else:
            self.start = _status('VmRSS')

    def peak_mib(self) -> float:
        r"""The rise so far, in MiB."""
        return _status('VmHWM') - self.start


def _status(name: str) -> float:
    try:
        with open('/proc/self/status', encoding='ascii') as file:
            for line in file:
                if line.startswith(f'{name}:'):
                    return int(line.split()[1]) / 2**10
    except OSError:
        pass
    return float('nan')
