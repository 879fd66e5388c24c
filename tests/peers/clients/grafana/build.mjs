// node build.mjs FOLDER: bundles source.mjs with the packages of FOLDER/node_modules into FOLDER/source.js. What package.json overrides with
// the empty package are packages that draw, and would be four fifths of all.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const folder = process.argv[2];
const { build } = createRequire(`${folder}/`)("esbuild");
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const absent = Object.keys(JSON.parse(readFileSync(here("package.json"), "utf8")).overrides);
const filter = new RegExp(`^(?:${absent.join("|")})(?:/|$)`);

await build({
  entryPoints: [here("source.mjs")],
  outfile: `${folder}/source.js`,
  bundle: true,
  format: "iife",
  target: "es2022",
  nodePaths: [`${folder}/node_modules`],
  define: { "process.env.NODE_ENV": '"production"', global: "window" },
  loader: { ".css": "empty" },
  logLevel: "error",
  plugins: [{ name: "absent", setup: (all) => all.onResolve({ filter }, () => ({ path: here("absent.cjs") })) }],
});
