// Makes dist/ of src/: a script, a style sheet and an icon with a hash of what is in them in their names, the licences of all that went into
// the script, and a page that names these.
import { build } from "esbuild";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";

const out = "dist";
for (const name of readdirSync(out)) if (!name.startsWith(".")) rmSync(`${out}/${name}`);

const built = await build({
  entryPoints: { page: "src/main.ts" },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
  entryNames: "[name]-[hash]",
  outdir: out,
  metafile: true,
});

/** Writes a file under a name that its contents give it, and gives that name. */
function put(name, end, contents) {
  const hash = createHash("sha256").update(contents).digest("hex").slice(0, 10);
  writeFileSync(`${out}/${name}-${hash}.${end}`, contents);
  return `${name}-${hash}.${end}`;
}

const packages = new Set();
for (const input of Object.keys(built.metafile.inputs)) {
  const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
  if (name) packages.add(name);
}
const licences = [...packages].sort().map((name) => {
  const folder = `node_modules/${name}`;
  const { version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const text = ["LICENSE", "LICENSE.md", "LICENCE", "NOTICE"].map((file) => `${folder}/${file}`).filter(existsSync);
  return `${name} ${version}, ${license}\n\n${text.map((file) => readFileSync(file, "utf8").trim()).join("\n\n")}\n`;
});

const files = Object.keys(built.metafile.outputs).map((path) => path.slice(out.length + 1));
const names = {
  SCRIPT: files.find((name) => name.endsWith(".js")),
  STYLE: files.find((name) => name.endsWith(".css")),
  ICON: put("icon", "svg", readFileSync("src/icon.svg")),
  LICENCES: put("licences", "txt", licences.join(`\n${"-".repeat(80)}\n\n`)),
};
const html = readFileSync("src/index.html", "utf8").replace(/@(\w+)@/g, (_, word) => `assets/${names[word]}`);
writeFileSync(`${out}/index.html`, html);
