"""Runs the tests and the README's examples against the package that is installed: python
bindings/python/tests/run.py
"""

import os
import re
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.chdir(HERE.parents[2])
# The package that is installed, and not the one in the source tree.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() not in (HERE.parent, HERE.parent / "src")]



def readme():
    """Runs the README's blocks that are marked so, in order and with the same names."""
    text, names = (HERE.parent / "README.md").read_text(encoding="utf-8"), {}
    blocks = re.findall(r"^<!-- run -->\n```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) > 10, "the README has its blocks"
    for block in blocks:
        exec(compile(block, block, "exec"), names)


suite = unittest.defaultTestLoader.discover(str(HERE))
suite.addTest(unittest.FunctionTestCase(readme))
sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
