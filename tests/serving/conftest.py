import sys
from pathlib import Path

import pytest

pytest.importorskip('fastapi', reason='needs the extra serve')
pytest.importorskip('httpx2', reason='needs what FastAPI tests with')

sys.path.insert(0, str(Path(__file__).parent))
