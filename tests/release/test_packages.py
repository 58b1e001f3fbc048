"""What `make release` builds is installed into empty environments and used there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import release
from launcher.paths import ROOT
from tests.sdk.test_readme import README, program
from tests.sdk.test_real_server import Vendor, model_server, vendor

__all__ = ["model_server", "vendor"]

#: 1 December 2026, 00:00 UTC.
EPOCH = 1_796_083_200


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    release.build(directory, EPOCH)
    return directory


def package(built: Path, name: str, ending: str) -> Path:
    [found] = built.glob(f"{name}-{release.version()}*{ending}")
    return found


class Environment:
    """A virtual environment that has one package of ours, and other people's from the environment of the tests."""

    def __init__(self, directory: Path, file: Path) -> None:
        self.directory = directory
        self.variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
        self.python = directory / "bin" / "python"
        [site] = directory.glob("lib/python*/site-packages")
        (site / "others.pth").write_text(sysconfig.get_path("purelib"))
        options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
        self.run(sys.executable, "-m", "pip", "--python", str(self.python), "install", *options, str(file))

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, cwd=self.directory, env=self.variables | variables, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.mark.parametrize("ending", [".whl", ".tar.gz"])
def test_the_readme_of_the_sdk_runs_in_an_environment_with_nothing_else_of_ours(
    built: Path, tmp_path: Path, vendor: Vendor, model_server: str, ending: str
) -> None:
    empty = Environment(tmp_path / "empty", package(built, "taximeter", ending))
    where = empty.run(str(empty.python), "-c", "import taximeter; print(taximeter.__file__)").stdout
    assert where.startswith(str(empty.directory))
    empty.run(str(empty.python), "-c", program(README, "Testing code that uses it"))
    empty.run(
        str(empty.python), "-c", program(README, "An agent in 20 lines"),
        OPENAI_BASE_URL=model_server, OPENAI_API_KEY="secret", TAXIMETER_URL=vendor.address,
        TAXIMETER_API_KEY=vendor.key, TAXIMETER_SPOOL=str(tmp_path / "spool"),
    )  # fmt: skip
    assert len(vendor.events(task_id="ticket-4711")) == 5
    assert (
        empty.run(str(empty.directory / "bin" / "taximeter"), "--version").stdout == f"taximeter {release.version()}\n"
    )


@pytest.mark.skipif(not (shutil.which("git") and (ROOT / ".git").exists()), reason="asks git for the project's files")
def test_the_server_installed_from_its_wheel_answers_and_has_every_file(built: Path, tmp_path: Path) -> None:
    wheel = package(built, "taximeter_server", ".whl")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"bench", "tests"} | {"static", "manage.py"}
    ours = {path for path in tracked.split("\0") if path.split("/")[0] in rooms and (ROOT / path).exists()}
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.split("/")[0] in rooms}
    assert ours <= packed
    assert {name for name in packed - ours if (ROOT / name).stat().st_size} <= _new_files(), packed - ours

    empty = Environment(tmp_path / "empty", wheel)
    assert empty.run(str(empty.directory / "bin" / "taximeter-server"), "status").stdout == "Nothing is running.\n"
    site = Path(empty.run(str(empty.python), "-c", "import config; print(config.__path__[0])").stdout.strip()).parent
    check = [str(empty.python), str(site / "manage.py"), "check"]
    addresses = {"DATABASE_URL": "postgresql://unused/unused", "REDIS_URL": "redis://unused/0"}
    assert "no issues" in empty.run(*check, TAXIMETER_ENV="test", **addresses).stdout
    seen = empty.run(str(empty.python), "-c", "from launcher.paths import HOME, Layout; print(HOME)").stdout.strip()
    assert Path(seen) == empty.directory.resolve()


def _new_files() -> set[str]:
    """Files that are not committed yet, which a build of the working tree has as well."""
    command = ["git", "ls-files", "-z", "--others", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return set(found.split("\0"))


def test_a_second_build_has_the_same_bytes(built: Path, tmp_path: Path) -> None:
    release.build(tmp_path, EPOCH)
    first = {file.name: file.read_bytes() for file in built.iterdir() if file.name != ".gitignore"}
    assert len(first) == 4
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != ".gitignore"} == first


def test_server_api_and_sdk_have_one_version(built: Path) -> None:
    from django.conf import settings
    from taximeter import __version__

    assert settings.SPECTACULAR_SETTINGS["VERSION"] == __version__ == release.version()
    for file in built.glob("*.whl"):
        [about] = [name for name in zipfile.ZipFile(file).namelist() if name.endswith("/METADATA")]
        text = zipfile.ZipFile(file).read(about).decode()
        assert f"\nVersion: {release.version()}\n" in text
        assert "\nLicense-Expression: Apache-2.0\n" in text


def test_a_release_needs_a_dated_section_of_the_changelog() -> None:
    release.require_changelog("## Unreleased\n\n## 1.2.3 - 2026-12-01\n- x\n", "1.2.3")
    for text in ("## Unreleased\n- x\n", "## 1.2.3\n", "## 1.2.30 - 2026-12-01\n", "### 1.2.3 - 2026-12-01\n"):
        with pytest.raises(release.ReleaseRefused, match=r"no section '## 1\.2\.3 - YYYY-MM-DD'"):
            release.require_changelog(text, "1.2.3")


def test_the_changelog_has_the_version_that_is_built() -> None:
    release.require_changelog((ROOT / "CHANGELOG.md").read_text(), release.version())


def test_entries_under_unreleased_are_noticed() -> None:
    assert release.has_unreleased("## Unreleased\n\n### Added\n- x\n\n## 1.2.3 - 2026-12-01\n- y\n")
    assert not release.has_unreleased("## Unreleased\n\n## 1.2.3 - 2026-12-01\n- y\n")
    assert not release.has_unreleased("## 1.2.3 - 2026-12-01\n- y\n")
