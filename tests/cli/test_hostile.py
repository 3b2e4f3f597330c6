"""Commands over names, tags, logs and files as nobody should write them: nothing raw, no traceback."""

from typing import Any

import pytest
from hostile import LETTERS, STRAY

from bkd.files import write_json
