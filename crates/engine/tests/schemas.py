"""Validates the answers that `examples/schemas.rs` drew: schemas.py FILE [SET]

Prints how many are whole and valid under their schema, as the package `jsonschema` sees it, and
every one that is not. Formats are checked as far as that package can.
"""

import json
import re
import sys
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for


def main(file, known=Path(__file__).parent / "schemas.json"):
    schemas = json.loads(Path(known).read_text())
    checker = Draft202012Validator.FORMAT_CHECKER
    kinds = [validator_for(one["schema"], Draft202012Validator) for one in schemas]
    validators = [
        kind(one["schema"], format_checker=checker) for kind, one in zip(kinds, schemas)
    ]
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
        except re.error as error:
            print(f"left to other validators: {schemas[answer['schema']]['name']}: {error}")
            total, whole = total - 1, whole - 1
            continue
        valid += not errors
        for error in errors:
            print(f"{schemas[answer['schema']]['name']}: {error}")
    print(f"{total} answers, {whole} whole, {valid} of them valid")
    return 0 if valid == whole else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
