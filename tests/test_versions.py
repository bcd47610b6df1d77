import importlib.metadata
import json
import sys

from command_line import call


def test_version_lists_what_a_result_depends_on():
    found = json.loads(call("version", "--json").stdout)
    assert found["numpy"] == importlib.metadata.version("numpy")
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    printed = call("version").stdout
    assert all(name in printed and version in printed for name, version in found.items())
