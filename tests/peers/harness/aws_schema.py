"""The schema of Terraform's AWS provider, read out of the TypeScript that is generated from it for npm (`@cdktn/provider-aws`): of
every attribute its type and who may set it, of every block its place and number."""

import base64
import json
import re
from pathlib import Path

CLASS = re.compile(r"^export class (\w+) extends cdk\w+\.(\w+) \{$", re.MULTILINE)
FIELD = re.compile(r"^  // (\w+) - computed: (true|false), optional: (true|false), required: (true|false)$", re.MULTILINE)
NESTED = re.compile(r'= new (\w+)\(this, "\w+"(?:, (true|false))?\)')
# what an accessor calls, and the type that it says
TYPES = [
    ("getNumberListAttribute", ["list", "number"]),
    ("getListAttribute", ["list", "string"]),
    ("getStringMapAttribute", ["map", "string"]),
    ("getBooleanMapAttribute", ["map", "bool"]),
    ("getNumberMapAttribute", ["map", "number"]),
    ("getAnyMapAttribute", ["map", "string"]),
    ("getNumberAttribute", "number"),
    ("getBooleanAttribute", "bool"),
    ("getStringAttribute", "string"),
]


def source(package: Path, kind: str) -> str:
    """The TypeScript of one resource, which its JavaScript carries in its source map."""
    script = (package / "lib" / kind / "index.js").read_text()
    found = re.search(r"sourceMappingURL=data:application/json;base64,([A-Za-z0-9+/=]+)", script)
    return json.loads(base64.b64decode(found[1]))["sourcesContent"][0]


class Module:
    """The classes of one resource."""

    def __init__(self, text: str):
        starts = list(CLASS.finditer(text))
        ends = [*(start.start() for start in starts[1:]), len(text)]
        self.bases = {start[1]: start[2] for start in starts}
        self.bodies = {start[1]: text[start.end() : end] for start, end in zip(starts, ends)}

    def main(self) -> tuple[str, str]:
        """`resource`, `data` or `provider`, and the name of the class."""
        kinds = {"TerraformResource": "resource", "TerraformDataSource": "data", "TerraformProvider": "provider"}
        (found,) = [(kinds[base], name) for name, base in self.bases.items() if base in kinds]
        return found

    def block(self, name: str) -> dict:
        """What may stand in a block: attributes and further blocks."""
        body = self.bodies[name]
        fields = list(FIELD.finditer(body))
        ends = [*(field.start() for field in fields[1:]), len(body)]
        block = {"attributes": {}, "blocks": {}}
        for field, end in zip(fields, ends):
            rest = body[field.end() : end]
            computed, optional, required = (text == "true" for text in field.groups()[1:])
            of = {"computed": computed and not required, "optional": optional and not required, "required": required}
            nested = NESTED.search(rest)
            inner = nested and self.inner(nested[1])
            if not inner:
                block["attributes"][field[1]] = {"type": self.type(rest, nested), **of}
            elif "public put" in rest:
                block["blocks"][field[1]] = {"mode": self.mode(field[1], nested), "required": required, "block": self.block(inner)}
            else:
                block["attributes"][field[1]] = {"type": ["list", self.object(inner)], **of}
        return block

    def inner(self, nested: str) -> str | None:
        """The class that describes one block of a list of them, or the block itself; nothing for plain maps and lists."""
        of_list = nested.removesuffix("List") + "OutputReference"
        return next((name for name in (nested, of_list) if self.bases.get(name) == "ComplexObject"), None)

    def mode(self, name: str, nested: re.Match) -> str:
        if name == "timeouts":
            return "single"
        if self.bases.get(nested[1]) != "ComplexList":
            return "one"
        return "set" if nested[2] == "true" else "list"

    def type(self, rest: str, nested: re.Match | None):
        if nested:
            return ["map" if "Map" in nested[1] else "list", "string"]
        found = next((type for call, type in TYPES if call in rest), "string")
        return ["set", found[1]] if "Fn.tolist" in rest and found[0] == "list" else found

    def object(self, name: str) -> list:
        block = self.block(name)
        attributes = {name: attribute["type"] for name, attribute in block["attributes"].items()}
        blocks = {name: ["list", self.object_of(nested["block"])] for name, nested in block["blocks"].items()}
        return ["object", attributes | blocks]

    def object_of(self, block: dict) -> list:
        blocks = {name: ["list", self.object_of(nested["block"])] for name, nested in block["blocks"].items()}
        return ["object", {name: attribute["type"] for name, attribute in block["attributes"].items()} | blocks]


def schema(package: Path, kinds: list[str]) -> dict:
    """Of resources and data sources by their names in the package (`sqs-queue`), and of the provider itself."""
    found = {"resource": {}, "data": {}, "provider": None}
    for kind in [*kinds, "provider"]:
        module = Module(source(package, kind))
        what, name = module.main()
        if what == "provider":
            found["provider"] = module.block(name)
        else:
            (of,) = re.findall(r'tfResourceType = "(\w+)"', module.bodies[name])
            found[what][of] = module.block(name)
    return found
