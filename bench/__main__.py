"""Every benchmark, one after the other, and what they found.

    python -m bench [--size full] [--only NAME ...] [--write]

The results of each are kept as JSON (``--keep DIR``), so that the large ones may be measured one at a time;
``--write`` puts those of the size into docs/performance.md, and draws docs/performance.svg.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from datetime import date
from pathlib import Path

from bench.measure import Results
from bench.report import keep, markdown, picture, read, text
from tests.support.databases import postgres_server
from tests.support.tool import ROOT

BENCHMARKS = {
    "startup": "What is imported",
    "status": "Status",
    "apply": "Apply",
    "verify": "Verify",
    "backup": "Backup",
    "transfer": "Transfer",
}
PAGE = ROOT / "docs" / "performance.md"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=["small", "full"], default="small")
    parser.add_argument("--only", nargs="*", choices=[*BENCHMARKS], default=[*BENCHMARKS], metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where to work; default a temporary folder")
    parser.add_argument("--keep", type=Path, default=ROOT / ".bench", metavar="DIR")
    parser.add_argument("--write", action="store_true", help="write the page from what is kept")
    options = parser.parse_args()
    found: dict[str, Results] = {}
    if options.only:
        with postgres_server() as url:
            for name in options.only:
                print(f"{BENCHMARKS[name]}:", flush=True)
                with tempfile.TemporaryDirectory(dir=options.folder) as folder:
                    found[name] = importlib.import_module(f"bench.{name}").measure(options.size, Path(folder), url)
                keep(found[name], options.keep / f"{name}-{options.size}.json")
                print(f"{text(found[name])}\n", flush=True)
    if options.write:
        write_page(options.keep, options.size)
    missed = [one.target for results in found.values() for one in results.findings if one.met is False]
    if missed:
        print(f"not met: {', '.join(sorted(missed))}")
    return 0


def write_page(folder: Path, size: str) -> None:
    """Put the kept results between the marks of the page, and draw the picture beside it."""
    page = PAGE.read_text()
    every = Results()
    for name in BENCHMARKS:
        file = folder / f"{name}-{size}.json"
        if not file.exists():
            continue
        results = read(file)
        every.add(results)
        start, end = f"<!-- bench: {name} -->", f"<!-- end: {name} -->"
        before, rest = page.split(start)
        _, after = rest.split(end)
        measured = date.fromtimestamp(file.stat().st_mtime)
        page = f"{before}{start}\n\nMeasured on {measured}.\n\n{markdown(results)}\n\n{end}{after}"
    PAGE.write_text(page)
    picture(every.points, PAGE.with_suffix(".svg"))


if __name__ == "__main__":
    sys.exit(main())
