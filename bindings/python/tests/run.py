"""Runs the tests and the README's examples against the package that is installed: python
bindings/python/tests/run.py
"""

import doctest
import os
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.chdir(HERE.parents[2])
# The package that is installed, and not the one in the source tree.
sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() not in (HERE.parent, HERE.parent / "src")]

suite = unittest.defaultTestLoader.discover(str(HERE))
suite.addTest(doctest.DocFileSuite(str(HERE.parent / "README.md"), module_relative=False))
sys.exit(not unittest.TextTestRunner().run(suite).wasSuccessful())
