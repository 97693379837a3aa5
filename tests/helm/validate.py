"""Holds rendered manifests against the schemas of Kubernetes (tests/it/chart.rs).

validate.py check VERSION[,VERSION…] FILE…   with kubernetes-validate, strictly; a line for each object that is wrong
validate.py schemas VERSION CRDS OUT         writes into the folder OUT, for kubeconform: the schemas of that version, and of the
                                             custom resources whose definitions are in the folder CRDS
"""

import functools
import json
import pathlib
import sys

import importlib_resources
import kubernetes_validate
import yaml
from kubernetes_validate import utils

SCHEMAS = importlib_resources.files("kubernetes_validate") / "kubernetes-json-schema"
CUSTOM = "monitoring.coreos.com/"


def check(versions, files):
    # Each call would read the definitions, which are megabytes, anew.
    utils.schema_contents = functools.lru_cache(None)(utils.schema_contents)
    checked = wrong = 0
    for file in files:
        for document in yaml.safe_load_all(pathlib.Path(file).read_text()):
            if not document or document["apiVersion"].startswith(CUSTOM):
                continue
            for version in versions:
                checked += 1
                try:
                    kubernetes_validate.validate(document, version, strict=True)
                except (kubernetes_validate.ValidationError, kubernetes_validate.SchemaNotFoundError) as error:
                    wrong += 1
                    name = f"{document['kind']} {document['metadata']['name']}"
                    print(f"{file}: {name} ({version}): {error.message}")
    print(f"{checked} checked, {wrong} wrong")
    return 1 if wrong or not checked else 0


def closed(schema):
    """The same, without what is not named: an API server drops it or refuses it."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: closed(part) for key, part in schema.items()}
    if isinstance(schema.get("properties"), dict) and "additionalProperties" not in schema:
        schema["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
    if schema.get("x-kubernetes-int-or-string"):
        schema.pop("type", None)
    return schema


def schemas(version, crds, out):
    out = pathlib.Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for file in (SCHEMAS / f"v{version}.0-local-strict").iterdir():
        schema = json.loads(file.read_text().replace("/api/_definitions.json", "_definitions.json"))
        schema.pop("$id", None)
        schema.pop("$schema", None)
        (out / file.name).write_text(json.dumps(schema))
    for file in pathlib.Path(crds).glob("*.yaml"):
        definition = yaml.safe_load(file.read_text())["spec"]
        for served in definition["versions"]:
            schema = closed(served["schema"]["openAPIV3Schema"])
            # An API server knows these by itself.
            schema["properties"]["metadata"] = {"type": "object"}
            name = f"{definition['names']['kind'].lower()}-{definition['group'].split('.')[0]}-{served['name']}.json"
            (out / name).write_text(json.dumps(schema))
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "check":
        sys.exit(check(sys.argv[2].split(","), sys.argv[3:]))
    sys.exit(schemas(*sys.argv[2:5]))
