// Prints the size of the JavaScript that the first view needs and fails above the budget.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = 200_000;
const dist = new URL("../dist/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));

/** Everything that the browser must load before the softphone shows: static imports, followed. */
function filesOf(key, seen = new Set()) {
  const chunk = manifest[key];
  if (seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const next of chunk.imports ?? []) filesOf(next, seen);
  return seen;
}

const firstView = [
  ...new Set(
    Object.keys(manifest)
      .filter((key) => manifest[key].isEntry || key.endsWith("/PhonePage.tsx"))
      .flatMap((key) => [...filesOf(key)]),
  ),
];
const bytes = firstView
  .map((file) => gzipSync(readFileSync(new URL(file, dist))).length)
  .reduce((sum, size) => sum + size, 0);
process.stdout.write(
  `first view: ${(bytes / 1000).toFixed(1)} kB gz of ${BUDGET_BYTES / 1000}\n`,
);
if (bytes > BUDGET_BYTES) process.exit(1);
