// Makes a component of a module: starlingmonkey.mjs MODULE WIT OUTPUT. What the tools are made of runs in a sandbox too,
// and finds no file unless one says that it may.
import { writeFile } from "node:fs/promises";
import { _addPreopen } from "@bytecodealliance/preview2-shim/filesystem";

_addPreopen("/", "/");
const { componentize } = await import("@bytecodealliance/componentize-js");

const [, , sourcePath, witPath, output] = process.argv;
const { component } = await componentize({
  sourcePath,
  witPath,
  worldName: "row-map-step",
  disableFeatures: ["http", "fetch-event"],
});
await writeFile(output, component);
