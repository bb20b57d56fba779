import i18next, { type TFunction } from "i18next";
import { beforeAll, describe, expect, it } from "vitest";
import en from "../i18n/en.json";
import type { AuditLine } from "./client";
import { factsOf } from "./facts";

let t: TFunction;
const told = (fields: AuditLine["fields"]): string =>
  factsOf(
    { at: "", action: "x", actor: null, token: null, subject: "s", fields } as AuditLine,
    t,
  );

beforeAll(async () => {
  t = await i18next
    .createInstance()
    .init({ lng: "en", resources: { en: { translation: en } } });
});

describe("what a deed says of itself", () => {
  it("reads as words and minutes", () => {
    expect(told({ why: "hand", returned_ms: 240_000 })).toBe(
      "Why: deleted by hand · Minutes returned: 4:00",
    );
    expect(told({ when_full: "stop", retention_days: null, encrypts: true })).toBe(
      "When minutes are used up: Stop recording · Days kept: Two years · Sealed: yes",
    );
  });

  it("leaves out what says nothing, and shows what is not known as it is", () => {
    expect(told({ note: "", other: null })).toBe("");
    expect(told({ why: "flood", scopes: ["a", "b"], novel: 7 })).toBe(
      "Why: flood · scopes: a, b · novel: 7",
    );
  });
});
