"""Critics of one training in several processes."""

import subprocess
import sys
from pathlib import Path

from tests.front import in_two_processes


def test_the_critics_of_two_processes_stay_alike(tmp_path: Path) -> None:
    script = Path(in_two_processes.__file__)
    ended = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        cwd=script.parents[2],
        env={"PYTHONPATH": str(script.parents[2]), "PATH": "", "GLOO_SOCKET_IFNAME": "lo"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ended.stdout, ended.returncode) == ("alike\n", 0), ended.stderr
