import { describe, expect, it } from "vitest";
import type { Quota } from "../api/types";
import { newerOf, sharesOf } from "./quota";

function quotaOf(part: Partial<Quota> = {}): Quota {
  return {
    at: "2026-05-04T03:00:00.000Z",
    version: 1,
    capacity_ms: 100,
    used_ms: 40,
    reserved_ms: 10,
    free_ms: 50,
    overdrawn_ms: 0,
    suspense_ms: 0,
    level: 0,
    empty_at: null,
    captures: [],
    ...part,
  };
}

describe("pictures of the minutes", () => {
  it("give way to the later one, however it came", () => {
    const early = quotaOf();
    const late = quotaOf({ at: "2026-05-04T03:00:01.000Z" });
    expect(newerOf(early, late)).toBe(late);
    expect(newerOf(late, early)).toBe(late);
    expect(newerOf(null, early)).toBe(early);
    expect(newerOf(early, null)).toBe(early);
    expect(newerOf(null, null)).toBeNull();
  });

  it("are drawn as parts of one whole", () => {
    expect(sharesOf(quotaOf()).map(({ percent }) => percent)).toEqual([40, 10, 50]);
  });

  it("fill the line and no more where more is taken than owned", () => {
    const shares = sharesOf(quotaOf({ used_ms: 300, reserved_ms: 100, free_ms: 0 }));
    expect(shares.map(({ percent }) => percent)).toEqual([75, 25, 0]);
  });

  it("are an empty line where nothing is owned", () => {
    const shares = sharesOf(quotaOf({ used_ms: 0, reserved_ms: 0, free_ms: 0 }));
    expect(shares.map(({ percent }) => percent)).toEqual([0, 0, 0]);
  });
});
