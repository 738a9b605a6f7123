"""The pages as a site. The commands and the topics are the program's own help, so that there is one source.

python tests/site.py pages FOLDER    collect the pages
python tests/site.py links FOLDER    check every link of a built site
"""

import re
import shutil
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[1]
HELP = ROOT / "tests" / "cli" / "golden" / "help"
_HOME = {"README.md": "index.md"}
_ELSEWHERE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_NAMED_BLOCK = re.compile(r"^(```\w+) \w+=[\w-]+$", re.MULTILINE)
"""A block that a test finds by its name. A site generator takes such a line for text, and what follows for code."""
_LINK = re.compile(r"(?<=\]\()(?!https?:|#)(?P<file>[^)#\s]+)")


def collect(folder: Path) -> None:
    """Every page in one folder: README is the first, the links between the pages follow."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for page in [*(ROOT / "docs").glob("*.md"), *(ROOT / name for name in (*_HOME, *_ELSEWHERE))]:
        text = _LINK.sub(lambda link, page=page: _moved(page, link["file"]), page.read_text(encoding="utf-8"))
        (folder / _name(page)).write_text(_NAMED_BLOCK.sub(r"\1", text), encoding="utf-8")
    for picture in (ROOT / "docs").rglob("*.svg"):
        target = folder / picture.relative_to(ROOT / "docs")
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(picture, target)
    topics = _topics()
    verbs = {path.stem: path for path in sorted(HELP.glob("*.txt")) if path.stem not in topics}
    (folder / "topics.md").write_text(_help("Help topics", "runcancel help", topics), encoding="utf-8")
    (folder / "commands.md").write_text(_help("Commands", "", verbs), encoding="utf-8")


def _topics() -> dict[str, Path]:
    from runcancel.cli.topics import TOPICS

    return {name: HELP / f"{name}.txt" for name in TOPICS}


def _help(title: str, command: str, files: dict[str, Path]) -> str:
    """A page of the texts that the program prints, as it prints them."""
    parts = [f"# {title}\n"]
    for name, file in files.items():
        typed = f"{command} {name}".strip() if command else " ".join(dict.fromkeys(("runcancel", *name.split("-", 1))))
        parts.append(f"## {typed}\n\n```text\n{file.read_text(encoding='utf-8').rstrip()}\n```\n")
    return "\n".join(parts)


def _name(page: Path) -> str:
    return _HOME.get(page.name, page.name.lower() if page.name in _ELSEWHERE else page.name)


def _moved(page: Path, link: str) -> str:
    target = (page.parent / link).resolve()
    return str(target.relative_to(ROOT / "docs")) if target.suffix == ".svg" else _name(target)


class _Page(HTMLParser):
    """What a page links to, and what in it can be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                self.links.append(value)


def broken(folder: Path) -> Iterator[str]:
    """Links that lead nowhere, and files that are loaded from elsewhere."""
    pages = {path: _Page(path.read_text(encoding="utf-8")) for path in folder.rglob("*.html")}
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if target.is_dir():
                target = target / "index.html"
            if not target.exists():
                yield f"{path.relative_to(folder)}: {link}"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                yield f"{path.relative_to(folder)}: {link} (no such place in the page)"


def main(what: str, folder: Path) -> int:
    """Collect the pages or check the site."""
    if what == "pages":
        collect(folder)
        return 0
    pages, wrong = len(list(folder.rglob("*.html"))), sorted(set(broken(folder.resolve())))
    print("\n".join([*wrong, f"{pages} pages in {folder}, {len(wrong)} broken links"]))
    return 1 if wrong or pages < 20 else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
