"""What the tests of the command line share."""

import os
from unittest import mock

from typer.testing import CliRunner

from aqc.cli import app


def call(*arguments, **settings):
    """Run a command in this process."""
    # Commands set the threads and the compilation cache of their process; undo that. An empty
    # name is no cache: JAX would keep using it for the rest of the tests.
    with mock.patch.dict(os.environ, JAX_COMPILATION_CACHE_DIR=""):
        return CliRunner().invoke(app, [str(argument) for argument in arguments], **settings)


def refused(result, *fragments):
    """Check that a command refused: exit code 2, sentences on stderr, nothing else."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    for fragment in fragments:
        assert fragment in result.stderr
    return True
