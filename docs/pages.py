"""The pages of the documentation: which files of the repository they are, and what they hold."""

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent

# What lies elsewhere than in docs/, and its place on the site.
ELSEWHERE = {
    "examples/README.md": "examples.md",
    "onnx/README.md": "model/shipped.md",
    "bindings/cpp/README.md": "hosts/cpp.md",
    "bindings/python/README.md": "hosts/python.md",
    "bindings/csharp/README.md": "hosts/csharp.md",
    "bindings/unity/README.md": "hosts/unity.md",
    "bindings/unreal/README.md": "hosts/unreal.md",
    "bindings/archive/ARCHIVE.md": "hosts/archive.md",
    "include/REFERENCE.md": "reference/functions.md",
    "include/BAD_ARGUMENTS.md": "reference/bad-arguments.md",
    "include/PROVIDERS.md": "reference/providers.md",
    "tests/PROMISES.md": "evidence/promises.md",
    "tests/SNAPSHOTS.md": "evidence/snapshots.md",
    "tests/DIFFUSERS.md": "evidence/diffusers.md",
    "tests/COVERAGE.md": "evidence/coverage.md",
    "tests/PIPELINES.md": "evidence/pipelines.md",
    "tests/gpu/README.md": "built/gpu.md",
    "tests/fuzz/README.md": "built/fuzzing.md",
    "ARCHITECTURE.md": "built/architecture.md",
    "CONTRIBUTING.md": "built/contributing.md",
    "CHANGELOG.md": "built/changes.md",
}

# The page that begins the site says on it what this one says in the repository.
README = "README.md"

def tracked(*patterns):
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    names = subprocess.check_output(command, cwd=ROOT, text=True).splitlines()
    return sorted(name for name in names if (ROOT / name).is_file())


def places():
    """Each page's file in the repository, and its place on the site. What is in no list lies in more/ there."""
    pages = {name: f"more/{name}" for name in documents() if name != README}
    pages |= {name: name.removeprefix("docs/") for name in tracked("docs/*.md")}
    pages |= {name: "export/" + pathlib.Path(name).name for name in tracked("onnx/pages/*.md")}
    return pages | ELSEWHERE


def documents():
    """Every Markdown file that people read."""
    return [name for name in tracked("*.md") if not name.startswith(("tests/texts/", "onnx/fixtures/"))] + tracked(
        "onnx/fixtures/*/README.md"
    )


def slug(heading):
    """The anchor that code hosts make of a heading."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
    text = re.sub(r"[^\w\- ]", "", text.strip().lower())
    return text.replace(" ", "-")


def lines_outside_code(text):
    """The lines of a document with their numbers, but for those of blocks of code."""
    fence = None
    for number, line in enumerate(text.splitlines(), 1):
        opened = re.match(r"\s*(`{3,}|~{3,})", line)
        if fence:
            fence = None if opened and opened[1].startswith(fence) else fence
        elif opened:
            fence = opened[1]
        else:
            yield number, line


def anchors(text):
    seen, found = {}, []
    for _, line in lines_outside_code(text):
        heading = re.match(r"#{1,6}\s+(.*?)\s*#*$", line)
        if heading:
            name = slug(heading[1])
            count = seen.get(name, 0)
            seen[name] = count + 1
            found.append(name if count == 0 else f"{name}-{count}")
    return found


def joined(text):
    """The text with every link on one line."""
    return re.sub(r"\[[^][`]*\n[^][`]*\]\(", lambda match: match[0].replace("\n", " "), text)


LINK = re.compile(r"(!?)\[((?:[^][]|\[[^]]*\])*)\]\(([^()\s]+(?:\([^()]*\)[^()\s]*)?)\)")


def blocks(text):
    """The blocks of code of a document: the line that each begins on, its language, the comment above it, its text."""
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        opened = re.match(r"(\s*)(`{3,})(\S*)", lines[at])
        if not opened:
            at += 1
            continue
        indent, fence, language = opened.groups()
        end = at + 1
        while end < len(lines) and lines[end].strip() != fence:
            end += 1
        comment = re.fullmatch(r"\s*<!-- (.*) -->", lines[at - 1]) if at else None
        block = "\n".join(line.removeprefix(indent) for line in lines[at + 1 : end])
        yield at + 1, language.split(",")[0], comment[1] if comment else None, block
        at = end + 1
