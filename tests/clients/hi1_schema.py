"""Judges HI-1 messages by ETSI's own JSON schemas: one message a line on standard input, `accepted` or `refused` a line on
standard output. The folder with the schemas of TS 103 120 and the types of TS 103 280 is the argument.

The types of TS 103 280 are published with the schemas in XML alone; what the JSON schemas use of them is taken from there.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as tree

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

XS = "{http://www.w3.org/2001/XMLSchema}"


def simple_types(path):
    types = {}
    for node in tree.parse(path).getroot():
        name = node.get("name")
        if node.tag == XS + "complexType":
            # How their members are called in JSON is not said.
            types[name] = {"type": "object"}
            continue
        limits = node.find(XS + "restriction")
        said = {"type": "string"}
        base = limits.get("base")
        if not base.startswith("xs:"):
            said = {"allOf": [{"$ref": f"#/$defs/{base}"}], **said}
        elif base in ("xs:integer",):
            said = {"type": "integer"}
        for limit in limits:
            if limit.tag == XS + "pattern":
                # A pattern in XML is of the whole text, and without shorthands that Python reads otherwise.
                said["pattern"] = f"^(?:{limit.get('value')})$"
            elif limit.tag == XS + "maxLength":
                said["maxLength"] = int(limit.get("value"))
        types[name] = said
    return {"$id": "ts_103280_2017_07", "$defs": types}


def main(folder):
    schemas = [json.loads(path.read_text()) for path in sorted((folder / "schema").glob("*.schema.json"))]
    schemas.append(simple_types(folder / "xsd" / "TS_103_280.xsd"))
    # Not published with the others; no message that is judged here uses them.
    unused = {
        "ts_103120_TrafficPolicy_2022_07": ["TrafficPolicyObject", "TrafficRuleObject"],
        "ts_103280_Dictionaries_2019_10": ["Dictionaries"],
        "ts_103120_Config_2024_06": [
            "TargetFormatTypeDefinitions",
            "TargetingConfigurations",
            "SupportedLIWorkflowEndpoints",
            "SupportedLPWorkflowEndpoints",
            "SupportedLDWorkflowEndpoints",
        ],
    }
    dialect = "https://json-schema.org/draft/2020-12/schema"
    for name, definitions in unused.items():
        schemas.append({"$id": name, "$defs": {definition: False for definition in definitions}})
    registry = Registry().with_resources(
        (schema["$id"], Resource.from_contents({"$schema": dialect, **schema})) for schema in schemas
    )
    core = Draft202012Validator({"$schema": dialect, "$ref": "ts_103120_Core_2019_10"}, registry=registry)
    for line in sys.stdin:
        print("accepted" if core.is_valid(json.loads(line)) else "refused")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
