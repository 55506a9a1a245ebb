// Reads the subset of JSON Schema 2020-12 that the gateway uses: $ref into $defs, anyOf with null, enum, const.

/** Normalizes a schema node: references resolved, `anyOf [X, null]` turned into X; `nullable` if it may be null. */
export function resolve(schema, root) {
  const { $ref, ...own } = schema;
  if ($ref) return resolve({ ...lookUp($ref, root), ...own }, root);
  if (schema.allOf?.length === 1) {
    const { allOf, ...rest } = schema;
    return resolve({ ...allOf[0], ...rest }, root);
  }
  const choices = schema.anyOf ?? schema.oneOf;
  if (!choices) return typeList(schema);
  const real = choices.filter((choice) => choice.type !== "null");
  if (real.length !== 1) return { ...schema, nullable: real.length < choices.length };
  const { anyOf, oneOf, ...rest } = schema;
  return { ...resolve({ ...real[0], ...rest }, root), nullable: real.length < choices.length };
}

function typeList(schema) {
  if (!Array.isArray(schema.type)) return schema;
  const types = schema.type.filter((type) => type !== "null");
  return { ...schema, type: types.length === 1 ? types[0] : types, nullable: types.length < schema.type.length };
}

function lookUp(reference, root) {
  const path = reference.replace(/^#\//, "").split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return path.reduce((node, part) => node?.[part], root) ?? {};
}

/** The kind of form field for a node: "upload" | "object" | "choice" | "flag" | "number" | "text" | "array" | "json". */
export function kindOf(node) {
  if (node.enum || node.const !== undefined) return "choice";
  if (node.properties?.object?.format === "signalbox-upload") return "upload";
  if (node.type === "object" && node.properties) return "object";
  if (node.type === "boolean") return "flag";
  if (node.type === "integer" || node.type === "number") return "number";
  if (node.type === "string") return "text";
  return node.type === "array" ? "array" : "json";
}

/** `input.tags[0].name` → `input.tags.0.name`. */
export const plainPath = (path) => String(path ?? "").replace(/\[(\w+)\]/g, ".$1").replace(/^[.$]+/, "");

/** Recognizes an answer that decides variants one by one, by its schema and not by the pipeline's name. */
export function variantAnswer(schema) {
  const decisions = schema && resolve(schema, schema).properties?.decisions;
  if (!decisions) return null;
  const list = resolve(decisions, schema);
  const item = list.type === "array" && list.items ? resolve(list.items, schema) : null;
  const action = item?.properties?.action && resolve(item.properties.action, schema);
  if (!item?.properties?.variant || !action?.enum) return null;
  const edits = Object.keys(item.properties).filter((name) => !["variant", "action", "reason", "note"].includes(name));
  return { actions: action.enum, edits, item };
}
