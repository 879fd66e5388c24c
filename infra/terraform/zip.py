"""zip.py FOLDER FILE: packs a folder with modes and without times, so that the same files give the same bytes."""

import sys
import zipfile
from pathlib import Path

folder, out = map(Path, sys.argv[1:])
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            entry = zipfile.ZipInfo(str(path.relative_to(folder)))
            entry.external_attr = (path.stat().st_mode & 0o777) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            package.writestr(entry, path.read_bytes())
