// Makes a component of a core module that Go has made: go.mjs MODULE WIT OUTPUT.
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const tools = require.resolve("@bytecodealliance/jco-transpile/wasm-tools");
const shim = createRequire(tools).resolve("@bytecodealliance/preview2-shim/filesystem");
// The tools run in a sandbox, which finds no file unless one says that it may.
const { _addPreopen } = await import(shim);
_addPreopen("/", "/");
const { componentEmbed, componentNew } = await import(tools);

const [, , module, witPath, output] = process.argv;
const embedded = await componentEmbed({
  binary: await readFile(module),
  witPath,
  world: "row-map-step",
});
const api = import.meta.resolve("@bytecodealliance/jco");
const adapter = new URL("../lib/wasi_snapshot_preview1.reactor.wasm", api);
const component = await componentNew(embedded, [
  ["wasi_snapshot_preview1", await readFile(adapter)],
]);
await writeFile(output, component);
