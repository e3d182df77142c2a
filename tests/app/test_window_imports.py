"""The window starts without torch, and answers at once where there is no display."""

import os
import subprocess
import sys


def run(code: str, **environment: str | None) -> subprocess.CompletedProcess[str]:
    merged = {**os.environ, **{k: v for k, v in environment.items() if v is not None}}
    for key in [k for k, v in environment.items() if v is None]:
        merged.pop(key, None)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=merged, timeout=60)


def test_that_the_window_never_loads_torch() -> None:
    code = "import sys, app.main_window, app.main, trainer.session.client; print('torch' in sys.modules)"
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"


def test_that_without_a_display_the_window_says_what_to_do_instead() -> None:
    code = "import sys; from app.main import main; sys.exit(main([]))"
    done = run(code, DISPLAY=None, WAYLAND_DISPLAY=None, QT_QPA_PLATFORM=None)
    assert done.returncode == 3
    assert "refine-dp run" in done.stderr
    assert "Traceback" not in done.stderr
