"""What openapi.json says of the API, as a judge of requests and answers."""

import json
import pathlib
import re

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = ROOT / "src/http/openapi.json"
METHODS = ("get", "post", "delete", "put", "patch")
# What HTTP itself adds, and what the description tells beside the headers.
OF_HTTP = {"date", "connection", "content-length", "content-type", "transfer-encoding"}


class Undescribed(Exception):
    """An answer that the description does not know. Nothing that waiting could mend."""


class Description:
    def __init__(self, document):
        self.document = document
        self.resolver = jsonschema.RefResolver("", document)
        self.operations = []
        for path, item in document["paths"].items():
            pattern = re.compile("".join("[^/]+" if piece.startswith("{") else re.escape(piece)
                                         for piece in re.split(r"(\{\w+\})", path)))
            for method in METHODS:
                if method in item:
                    self.operations.append((method.upper(), path, pattern, item, item[method]))
        # What is written out goes before what a parameter could stand for.
        self.operations.sort(key=lambda operation: operation[1].count("{"))
        self.validators = {}

    def resolve(self, value):
        while "$ref" in value:
            value = self.at(value["$ref"])
        return value

    def at(self, reference):
        found = self.document
        for part in reference.removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return found

    def validator(self, schema):
        """Kept, since making one costs more than using it."""
        key = id(schema)
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        return self.validators[key]

    def find(self, method, target):
        """(path, operation) of a request, or nothing."""
        path = target.split("?")[0]
        wanted = "GET" if method == "HEAD" else method
        for known, name, pattern, _, operation in self.operations:
            if known == wanted and pattern.fullmatch(path):
                return name, operation
        return None

    def body_complaints(self, value, schema, place):
        error = jsonschema.exceptions.best_match(self.validator(schema).iter_errors(value))
        if error is None:
            return []
        where = "/".join(str(part) for part in error.absolute_path)
        return [f"{place}/{where}: {error.message[:400]}"]

    def header_complaints(self, headers, described):
        """`headers` are pairs."""
        allowed = {name.lower(): self.resolve(header) for name, header in
                   {**self.document["x-headers-of-every-answer"], **described}.items()}
        present = {name.lower() for name, _ in headers}
        wrong = [f"the header {name} is missing" for name, header in allowed.items()
                 if header.get("required") and name not in present]
        for name, value in headers:
            if name.lower() in OF_HTTP:
                continue
            if name.lower() not in allowed:
                wrong.append(f"the header {name} is not described")
                continue
            schema = allowed[name.lower()]["schema"]
            number = self.resolve(schema).get("type") == "integer" and value.isdigit()
            wrong += self.body_complaints(int(value) if number else value, schema, f"the header {name}")
        return wrong

    def complaints(self, method, target, status, headers, content):
        """What an answer has that the description hasn't, or the other way round. None of paths that aren't there:
        the answer to these is described in words."""
        found = self.find(method, target)
        if found is None:
            return [] if status in (308, 404, 405) else [f"{status} of a path that is not described"]
        path, operation = found
        described = operation["responses"].get(str(status))
        if described is None:
            return [f"{method} {path}: the status {status} is not described"]
        described = self.resolve(described)
        wrong = self.header_complaints(headers, described.get("headers", {}))
        if method != "HEAD":
            wrong += self.content_complaints(headers, content, described.get("content", {}))
        return [f"{method} {path} {status}: {sentence}" for sentence in wrong]

    def content_complaints(self, headers, content, described):
        kind = next((value for name, value in headers if name.lower() == "content-type"), "").split(";")[0]
        if not described:
            return [f"a body where none is described: {content[:80]}"] if content else []
        if kind not in described:
            return [f"the content type \"{kind}\" is not described"]
        text = content.decode()
        value = json.loads(text) if kind == "application/json" else text
        return self.body_complaints(value, described[kind]["schema"], "the body")

    def check(self, method, target, status, headers, content):
        wrong = self.complaints(method, target, status, headers, content)
        if wrong:
            raise Undescribed("\n".join(wrong))

    def request_complaints(self, method, target, body):
        """What is wrong with a body that is sent, `body` being text or nothing."""
        path, operation = self.find(method, target)
        described = operation.get("requestBody")
        if not body:
            return [f"{method} {path}: a body is required"] if described and described.get("required") else []
        if described is None:
            return []
        schema = described["content"]["application/json"]["schema"]
        return self.body_complaints(self.spelled(json.loads(body), schema), schema, f"{method} {path}")

    def spelled(self, value, schema):
        """`value` with names, and words where any case is allowed, as the description spells them."""
        any_case = schema.get("x-any-case", False)
        schema = self.resolve(schema)
        if isinstance(value, dict):
            known = {name.lower(): name for name in schema.get("properties", {})}
            names = {name: known.get(name.lower(), name) for name in value}
            return {names[name]: self.spelled(item, schema.get("properties", {}).get(names[name], {}))
                    for name, item in value.items()}
        if isinstance(value, list):
            return [self.spelled(item, schema.get("items", {})) for item in value]
        if isinstance(value, str) and (any_case or schema.get("x-any-case")):
            return next((word for word in schema["enum"] if word is not None and word.lower() == value.lower()), value)
        return value


DESCRIPTION = Description(json.loads(FILE.read_text(encoding="utf-8")))
