import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import en from "./en.json";
import { formatDuration, formatOffset } from "./format";
import id from "./id.json";

type Texts = { [key: string]: string | Texts };

function flat(texts: Texts, prefix = ""): Map<string, string> {
  const entries = Object.entries(texts).flatMap(([key, value]) =>
    typeof value === "string"
      ? [[`${prefix}${key}`, value] as const]
      : [...flat(value, `${prefix}${key}.`)],
  );
  return new Map(entries);
}

const english = flat(en);
const indonesian = flat(id);
const blanks = (text: string): string[] => [...text.matchAll(/{{\w+}}/g)].map(String).sort();

describe("the translations", () => {
  it("have the same texts in both languages", () => {
    expect([...indonesian.keys()]).toEqual([...english.keys()]);
  });

  it("leave no text empty and lose no blank to fill in", () => {
    for (const [key, text] of english) {
      const other = indonesian.get(key) ?? "";
      expect(other.trim(), key).not.toBe("");
      expect(blanks(other), key).toEqual(blanks(text));
    }
  });

  it("are all in use", () => {
    const source = sources(new URL("../", import.meta.url)).join("\n");
    const unused = [...english.keys()].filter((key) => !isUsed(key, source));
    expect(unused).toEqual([]);
  });
});

/** Used by its name, or by a template of its group such as `status.${status}`. */
function isUsed(key: string, source: string): boolean {
  const base = key.replace(/_(one|other)$/, "");
  if (source.includes(`"${base}"`)) return true;
  const dots = [...base.matchAll(/\./g)].map((match) => match.index);
  const groups = dots.map((dot) => base.slice(0, dot));
  return (
    groups.some((group) => source.includes(`\`${group}.\${`)) ||
    source.includes(`\`${base.slice(0, base.lastIndexOf("_"))}_\${`)
  );
}

function sources(folder: URL): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".test.ts"))
    .map((name) => readFileSync(new URL(name, folder), "utf8"));
}

describe("times", () => {
  it("read as clocks do", () => {
    expect([0, 999, 65_000, 3_725_000].map(formatDuration)).toEqual([
      "0:00",
      "0:00",
      "1:05",
      "1:02:05",
    ]);
  });

  it("of the trace keep their milliseconds", () => {
    expect([0, 12, 59_999, 65_250, -5].map(formatOffset)).toEqual([
      "+0.000 s",
      "+0.012 s",
      "+59.999 s",
      "+1:05.250",
      "−0.005 s",
    ]);
  });
});
