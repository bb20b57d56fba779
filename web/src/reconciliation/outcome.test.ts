import { describe, expect, it } from "vitest";
import { shortDuration, signedSeconds, toneOf } from "./outcome";

describe("lengths of recordings", () => {
  it("show tenths of seconds, and carry them", () => {
    expect([0, 12_000, 59_960, 61_240, 3_725_000].map(shortDuration)).toEqual([
      "0:00.0",
      "0:12.0",
      "1:00.0",
      "1:01.2",
      "62:05.0",
    ]);
  });

  it("are left out where nothing is known", () => {
    expect(shortDuration(null)).toBeNull();
    expect(signedSeconds(null)).toBeNull();
    expect(signedSeconds(-300)).toBe("−0.300 s");
  });
});

describe("a verdict", () => {
  it("is red where something is gone, and calm where all is well", () => {
    expect(toneOf("lost")).toBe("red");
    expect(toneOf("official_only")).toBe("orange");
    expect(toneOf("matched")).toBe("brand");
    expect(toneOf("trimmed_to_quota")).toBe("gray");
  });
});
