"""`python -m gateway.http > docs/openapi.json` writes the OpenAPI document anew."""

import sys

from gateway.http.app import TABLES
from gateway.http.openapi import openapi_text

if __name__ == "__main__":
    sys.stdout.write(openapi_text(TABLES))
