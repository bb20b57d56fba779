import { describe, expect, it } from "vitest";
import { fieldTexts, placeOf, readable, stepOf } from "./trace";

describe("a step of the trace", () => {
  it("goes between the lanes that its source names", () => {
    expect(stepOf({ source: "webhook" })).toEqual({ from: "meta", to: "gateway" });
    expect(stepOf({ source: "graph" })).toEqual({ from: "gateway", to: "meta" });
    expect(stepOf({ source: "agent" })).toEqual({ from: "browser", to: "gateway" });
    expect(stepOf({ source: "machine" })).toEqual({ from: "gateway", to: "gateway" });
    expect(stepOf({ source: "toString" })).toEqual({ from: "gateway", to: "gateway" });
  });

  it("is drawn from the middle of one lane to the middle of the other", () => {
    expect(placeOf({ from: "browser", to: "gateway" })).toEqual({
      left: 12.5,
      width: 25,
      isLeftward: false,
    });
    expect(placeOf({ from: "meta", to: "gateway" })).toEqual({
      left: 37.5,
      width: 50,
      isLeftward: true,
    });
    expect(placeOf({ from: "gateway", to: "gateway" }).width).toBe(0);
  });

  it("reads as words, with its fields as pairs", () => {
    expect(readable("pre_accept.sent")).toBe("pre accept sent");
    expect(fieldTexts({ http_status: 200, none: null, nested: { a: 1 } })).toEqual([
      ["http status", "200"],
      ["nested", '{"a":1}'],
    ]);
  });
});
