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
        # As text where a value cannot say it: a key that is there twice, how a number is spelled.
        text = case["text"] if "text" in case else json.dumps(case["manifest"])
        try:
            manifest.validate(manifest.parsed(text))
        except manifest.ManifestError as error:
            assert not case["holds"] and case["names"] in str(error), f"{case['why']}: {error}"
        else:
            assert case["holds"], f"{case['why']}: is accepted"
    return len(cases)


def test_every_encoding():
    text = '{"diffuse": 1, "name": "ä"}'
    for content in [text.encode(), text.encode("utf-8-sig"), b"\xff\xfe" + text.encode("utf-16-le"), b"\xfe\xff" + text.encode("utf-16-be")]:
        assert manifest.decoded(content) == text, content
    for content in [text.encode("latin-1"), b"\xff\xfe\x00"]:
        try:
            manifest.decoded(content)
        except UnicodeDecodeError:
            continue
        raise AssertionError(content)


if __name__ == "__main__":
    test_every_encoding()
    print(f"{test_every_case()} cases hold")
