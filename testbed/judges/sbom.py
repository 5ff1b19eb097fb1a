"""Judges a CycloneDX 1.6 document on standard input by the strict JSON schema of the CycloneDX project.

Exit code 0, or 1 with the reason on standard error.
"""

import json
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator


def judge(text):
    # The schema itself takes any version.
    version = json.loads(text).get("specVersion")
    if version != "1.6":
        raise ValueError(f"`specVersion` is {version!r}")
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if error is not None:
        raise ValueError(f"{error.data.json_path}: {error.data.message}")


if __name__ == "__main__":
    try:
        judge(sys.stdin.read())
    except (AttributeError, ValueError) as error:
        sys.exit(f"no CycloneDX 1.6: {error}")
