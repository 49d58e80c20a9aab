"""Validates the answers that `examples/schemas.rs` drew: schemas.py FILE

Prints how many are whole and valid under their schema, as the package `jsonschema` sees it, and
every one that is not. Formats are checked as far as that package can.
"""

import json
import sys
from pathlib import Path

from jsonschema import Draft202012Validator


def main(file):
    schemas = json.loads((Path(__file__).parent / "schemas.json").read_text())
    checker = Draft202012Validator.FORMAT_CHECKER
    validators = [Draft202012Validator(one["schema"], format_checker=checker) for one in schemas]
    total = whole = valid = 0
    for line in Path(file).read_text().split("\n")[:-1]:
        answer = json.loads(line)
        total += 1
        if not answer["whole"]:
            print(f"cut off: {schemas[answer['schema']]['name']}")
            continue
        whole += 1
        try:
            errors = list(validators[answer["schema"]].iter_errors(json.loads(answer["text"])))
        except json.JSONDecodeError as error:
            errors = [error]
        valid += not errors
        for error in errors:
            print(f"{schemas[answer['schema']]['name']}: {error}")
    print(f"{total} answers, {whole} whole, {valid} of them valid")
    return 0 if valid == whole else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
