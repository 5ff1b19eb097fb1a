"""Judges a SLSA v1 provenance predicate on standard input by the in-toto project's own message definitions.

Every field must be one that they define, of the type that they give it, and the message must say the same again when it
is written. Exit code 0, or 1 with the reason on standard error.
"""

import json
import sys

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance


def judge(text):
    message = json_format.Parse(text, Provenance(), ignore_unknown_fields=False)
    if json_format.MessageToDict(message) != json.loads(text):
        raise ValueError("read and written again it says something else")


if __name__ == "__main__":
    try:
        judge(sys.stdin.read())
    except (json_format.ParseError, ValueError) as error:
        sys.exit(f"no SLSA v1 provenance: {error}")
