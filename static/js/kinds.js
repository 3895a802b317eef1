// Which drawing stands for a document, by the end of its name.

const KINDS = {
  pdf: "pdf",
  xls: "sheet", xlsx: "sheet", csv: "sheet", tsv: "sheet", ods: "sheet",
  ppt: "slides", pptx: "slides", odp: "slides",
  eml: "mail", msg: "mail",
  png: "image", jpg: "image", jpeg: "image", webp: "image", tiff: "image", tif: "image",
  gif: "image", heic: "image", bmp: "image", svg: "image",
  html: "web", htm: "web", xml: "web",
  py: "code", js: "code", ts: "code", java: "code", c: "code", go: "code", rs: "code",
  json: "code", ndjson: "code", yaml: "code", yml: "code", toml: "code", sql: "code",
  epub: "book",
  zip: "archive", tar: "archive", gz: "archive",
  doc: "text", docx: "text", odt: "text", rtf: "text", txt: "text", md: "text", rst: "text",
  org: "text",
};

export function kindOf(path) {
  const suffix = path.slice(path.lastIndexOf(".") + 1).toLowerCase();
  return Object.hasOwn(KINDS, suffix) ? KINDS[suffix] : "other";
}
