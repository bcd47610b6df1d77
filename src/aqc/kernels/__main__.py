"""`python -m aqc.kernels FOLDER`: write catalogue.json, and the claims table into FOLDER.

`make catalogue` runs it; a test keeps both files current.
"""

import json
import sys
from pathlib import Path

from aqc import kernels
from aqc.kernels._claims import claims_table


def catalogue_text() -> str:
    """Return what catalogue.json must hold."""
    entries = {slug: kernels.load(slug).to_dict() for slug in kernels.slugs()}
    return json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "catalogue.json").write_text(catalogue_text(), "utf-8")
    (Path(sys.argv[1]) / "kernels.md").write_text(claims_table(), "utf-8")
