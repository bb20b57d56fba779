import { describe, expect, it } from "vitest";
import type { Keeping } from "../api/keeping";
import { changeOf, draftOf, isShorter, obstacleOf } from "./keepingForm";

const kept: Keeping = {
  version: 4,
  when_full: "auto",
  retention_days: null,
  encrypts: false,
  retention_days_max: 36_600,
};

describe("the form of keeping", () => {
  it("begins with what is in force and has nothing to save", () => {
    expect(draftOf(kept)).toMatchObject({ span: "two_years", when_full: "auto" });
    expect(obstacleOf(draftOf(kept), kept)).toBe("unchanged");
    const own = { ...kept, retention_days: 90 };
    expect(draftOf(own)).toMatchObject({ span: "days", days: 90 });
    expect(obstacleOf(draftOf(own), own)).toBe("unchanged");
  });

  it.each(["", 0, -1, 1.5, 36_601, Number.NaN] as const)("does not send %s days", (days) => {
    const draft = { ...draftOf(kept), span: "days" as const, days };
    expect(changeOf(draft, kept)).toBeNull();
    expect(obstacleOf(draft, kept)).toBe("days");
  });

  it("sends what is chosen with the version that was shown", () => {
    const draft = { ...draftOf(kept), span: "days" as const, days: 30, encrypts: true };
    expect(changeOf(draft, kept)).toEqual({
      version: 4,
      when_full: "auto",
      retention_days: 30,
      encrypts: true,
    });
    expect(obstacleOf(draft, kept)).toBeNull();
  });

  it("does not mind days that do not count", () => {
    expect(obstacleOf({ ...draftOf(kept), days: "" }, kept)).toBe("unchanged");
  });

  it.each([
    [30, null, true],
    [730, null, true],
    [731, null, false],
    [29, 30, true],
    [30, 30, false],
    [31, 30, false],
    [null, null, false],
    [null, 730, false],
    [null, 731, true],
  ])("asks before %s days in place of %s: %s", (wanted, before, isAsked) => {
    expect(isShorter(wanted, before)).toBe(isAsked);
  });
});
