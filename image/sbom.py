#!/usr/bin/env python3
"""Writes the bill of materials of an image (CycloneDX 1.5): Debian's packages from mkosi's manifest, and the crates that
are linked into our programs, from cargo.

Usage: sbom.py MANIFEST TARGET-TRIPLE >SBOM

The same sources give the same bytes: no time, no random serial number, everything in order.
"""

import hashlib
import json
import subprocess
import sys
import uuid

PROGRAMS = ["onepress", "button", "camera", "desk", "relay", "wall"]


def debian(manifest):
    for package in manifest["packages"]:
        name, version, architecture = package["name"], package["version"], package["architecture"]
        yield {
            "type": "library",
            "bom-ref": f"deb:{name}",
            "name": name,
            "version": version,
            "purl": f"pkg:deb/debian/{name}@{version.replace('+', '%2B')}?arch={architecture}&distro=trixie",
        }


def crates(triple):
    metadata = ["cargo", "metadata", "--format-version=1", "--locked", f"--filter-platform={triple}"]
    graph = json.loads(subprocess.run(metadata, check=True, capture_output=True).stdout)
    packages = {package["id"]: package for package in graph["packages"]}
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    wanted = [package["id"] for package in graph["packages"] if package["name"] in PROGRAMS and not package["source"]]
    linked = set()
    while wanted:
        current = wanted.pop()
        if current in linked:
            continue
        linked.add(current)
        for dependency in nodes[current]["deps"]:
            # Tests' and build scripts' crates are not in the programs.
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                wanted.append(dependency["pkg"])
    for package in sorted((packages[key] for key in linked), key=lambda one: (one["name"], one["version"])):
        name, version = package["name"], package["version"]
        component = {
            "type": "library",
            "bom-ref": f"cargo:{name}@{version}",
            "name": name,
            "version": version,
            "purl": f"pkg:cargo/{name}@{version}",
        }
        if package["license"]:
            component["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        yield component


def main(manifest, triple):
    with open(manifest, encoding="utf-8") as file:
        manifest = json.load(file)
    image = manifest["config"]
    components = [*debian(manifest), *crates(triple)]
    digest = hashlib.sha256(json.dumps(components).encode()).digest()
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=4)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "operating-system",
                "bom-ref": "image",
                "name": image["name"],
                "version": image["version"],
            }
        },
        "components": components,
    }
    json.dump(bom, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
