"""Holds the rules of manifest.py against the cases that the Rust side is held against, too.

    python onnx/test_manifest.py
"""

import json
import pathlib

import manifest

CASES = pathlib.Path(__file__).parent / "fixtures" / "manifests.json"


def test_every_case():
    cases = json.loads(CASES.read_text(encoding="utf-8"))
    for case in cases:
        try:
            manifest.validate(case["manifest"])
        except manifest.ManifestError as error:
            assert not case["holds"] and case["names"] in str(error), f"{case['why']}: {error}"
        else:
            assert case["holds"], f"{case['why']}: is accepted"
    return len(cases)


if __name__ == "__main__":
    print(f"{test_every_case()} cases hold")
