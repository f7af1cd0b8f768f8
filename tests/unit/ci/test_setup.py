"""The set-up script, on simulated machines: no network, nothing is installed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import convert.pillow

ROOT = Path(convert.pillow.__file__).parents[1]
TOOLS = (
    "bash cat cp dirname echo env find flock grep head ls mkdir realpath rm sed sha256sum sort "
    "tail true xargs"
)
DRY_PYTHON = """printf '%s\\n' 3.11.2 /usr/bin/python3.11 /nowhere/include {able}"""
COMPILERS = "gcc libc6-dev python3.11-dev libjpeg-dev"

pytestmark = pytest.mark.skipif(
    not (ROOT / ".ci" / "setup").exists() or shutil.which("sha256sum") is None,
    reason="the set-up script belongs to a checkout on Linux",
)


class Machine:
    """A checkout in a folder, and a PATH with nothing but stubs and a few tools."""

    def __init__(self, folder: Path) -> None:
        self.checkout, self.path = folder / "checkout", folder / "bin"
        self.path.mkdir(parents=True)
        (self.checkout / ".ci").mkdir(parents=True)
        for name in (".ci/setup", ".ci/requirements.py", "pyproject.toml"):
            shutil.copy(ROOT / name, self.checkout / name)
        for tool in TOOLS.split():
            found = shutil.which(tool)
            if found is not None:
                (self.path / tool).symlink_to(found)
        self.has("uname", "echo Linux x86_64")
        self.has(
            "dpkg", '[ "$1" = -S ]'
        )  # every file belongs to a package, no package is installed
        self.has("cc", "exit 1")

    def has(self, program: str, script: str) -> None:
        stub = self.path / program
        stub.write_text(f"#!{shutil.which('sh')}\n{script}\n")
        stub.chmod(0o755)

    def has_python(self, able: str) -> None:
        """A Python that reports these facts about itself and otherwise is this one."""
        facts = DRY_PYTHON.format(able=able)
        self.has("python3", f'if [ "$1" = -c ]; then {facts}; else exec {sys.executable} "$@"; fi')
        # the script continues with the reported path, so it must be the path of this stub
        text = (self.path / "python3").read_text()
        (self.path / "python3").write_text(
            text.replace("/usr/bin/python3.11", str(self.path / "python3"))
        )

    def has_working_python(self) -> None:
        """A Python that creates environments of nothing but a copy of itself."""
        facts = DRY_PYTHON.format(able="True").replace("/usr/bin/python3.11", "$0")
        self.has(
            "python3",
            f"""case "$1 $2" in
            "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
            "-m pip") ;;
            "-c "*) {facts} ;;
            *) exec {sys.executable} "$@" ;;
            esac""",
        )

    def has_user(self, number: int) -> None:
        self.has("id", f"echo {number}")

    def has_apt(self) -> None:
        self.has("apt-get", f'echo "$@" >> {self.path}/apt.log')

    def set_up(self, *extras: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", ".ci/setup", *extras],
            cwd=self.checkout,
            env={"PATH": str(self.path), "HOME": "/nonexistent", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def apt_calls(self) -> list[str]:
        log = self.path / "apt.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_python_the_command_to_install_it_is_printed(machine: Machine) -> None:
    machine.has_user(1000)
    machine.has("python3", "exit 1")
    done = machine.set_up("convert")
    assert done.returncode == 1
    assert "sudo apt-get update && sudo apt-get install -y python3 python3-venv" in done.stdout
    assert not (machine.checkout / ".venv").exists()


def test_a_named_python_that_is_too_old_is_refused(machine: Machine) -> None:
    machine.has("python2", "exit 1")
    done = machine.set_up("convert", PYTHON="python2")
    assert (done.returncode, "PYTHON=python2 is not a Python 3.11" in done.stdout) == (1, True)


def test_without_root_the_command_is_printed_and_nothing_installed(machine: Machine) -> None:
    machine.has_user(1000)
    machine.has_python(able="False")
    machine.has("sudo", "exit 1")
    machine.has_apt()
    done = machine.set_up("convert")
    assert done.returncode == 1
    assert f"sudo apt-get install -y python3.11-venv {COMPILERS}" in done.stdout
    assert "cannot create virtual environments without python3.11-venv" in done.stdout
    assert machine.apt_calls() == []


@pytest.mark.parametrize("user", [0, 1000])
def test_root_and_sudo_install_what_is_missing(machine: Machine, user: int) -> None:
    machine.has_user(user)
    machine.has_python(able="False")
    machine.has("sudo", '[ "$1" = -n ] && shift; exec "$@"')
    machine.has_apt()
    done = machine.set_up("convert")
    update, install = machine.apt_calls()
    assert update.endswith(" update")
    assert f"install --no-install-recommends python3.11-venv {COMPILERS}" in install
    assert ("with sudo" in done.stdout) == (user != 0)
    assert done.returncode == 1  # the stub installs nothing


def test_stock_pillow_needs_no_compiler(machine: Machine) -> None:
    machine.has_user(0)
    machine.has_python(able="False")
    machine.has_apt()
    machine.set_up("convert", GLAMM_PILLOW="stock")
    assert machine.apt_calls()[-1].endswith("--no-install-recommends python3.11-venv")


def test_requiring_pillow_simd_fails_if_it_cannot_be_built(machine: Machine) -> None:
    machine.has_user(1000)
    machine.has_python(able="True")
    done = machine.set_up("convert", GLAMM_PILLOW="simd")
    assert done.returncode == 1
    assert "GLAMM_PILLOW=simd needs these packages" in done.stdout
    assert "by their Debian names" in done.stdout


def test_a_foreign_environment_is_not_changed(machine: Machine) -> None:
    theirs = machine.checkout / ".venv" / "theirs"
    theirs.parent.mkdir()
    theirs.touch()
    done = machine.set_up("convert")
    assert (done.returncode, "not created by this script" in done.stdout) == (1, True)
    assert theirs.exists()


@pytest.mark.parametrize(
    "changed", ["setup.py", "shards/rle/_rle.c", "third_party/xxhash/xxhash.h"]
)
def test_it_installs_again_after_a_source_of_a_compiled_module_changed(
    machine: Machine, changed: str
) -> None:
    machine.has_user(0)
    machine.has_working_python()
    source = machine.checkout / changed
    source.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("one")
    first, again = machine.set_up(), machine.set_up()
    assert (first.returncode, "packages: the base install" in first.stdout) == (0, True)
    assert (again.returncode, again.stdout) == (0, "")
    source.write_text("other")
    assert "packages: the base install" in machine.set_up().stdout


def test_an_unknown_choice_or_extra_is_an_error(machine: Machine) -> None:
    machine.has_python(able="True")
    assert "GLAMM_PILLOW=fast: simd or stock" in machine.set_up(GLAMM_PILLOW="fast").stdout
    done = machine.set_up("convrt")
    assert (done.returncode, "no extra 'convrt'" in done.stdout) == (1, True)


def requirements(checkout: Path, *extras: str) -> list[str]:
    script = [sys.executable, str(checkout / ".ci" / "requirements.py"), *extras]
    return subprocess.run(script, capture_output=True, text=True, check=True).stdout.splitlines()


def test_extras_are_resolved_and_pillow_loses_its_markers(machine: Machine) -> None:
    (machine.checkout / "pyproject.toml").write_text("""
[project]
name = "glamm-shards"
dependencies = ["numpy>=1"]
[project.optional-dependencies]
view = ["pillow-simd>=12; sys_platform == 'linux'", "pillow>=11 ; sys_platform != 'linux'"]
convert = ["glamm-shards[view, other]", "rich; os_name == 'nt'"]
other = ["numpy>=1", "six"]
""")
    assert requirements(machine.checkout) == ["numpy>=1"]
    assert requirements(machine.checkout, "convert") == [
        *("numpy>=1", "rich; os_name == 'nt'", "pillow-simd>=12", "pillow>=11", "six")
    ]


def test_the_projects_own_requirements_name_both_pillows_once(machine: Machine) -> None:
    lines = requirements(machine.checkout, "convert", "dev", "consumers")
    assert sum(line.lower().startswith("pillow") for line in lines) == 2
